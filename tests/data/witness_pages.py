"""Pages in languages with Latin letters for make_witness.py: what they say as Markdown, in which font, and in how many columns.

Fonts are those of Debian's fonts-dejavu, fonts-liberation and fonts-urw-base35.
"""

FONTS = {
    "bookman": "opentype/urw-base35/URWBookman-Light.otf",
    "chancery": "opentype/urw-base35/Z003-MediumItalic.otf",
    "condensed": "truetype/dejavu/DejaVuSansCondensed.ttf",
    "courier": "opentype/urw-base35/NimbusMonoPS-Regular.otf",
    "gothic": "opentype/urw-base35/URWGothic-Book.otf",
    "helvetica": "opentype/urw-base35/NimbusSans-Regular.otf",
    "italic": "truetype/liberation/LiberationSerif-Italic.ttf",
    "mono": "truetype/dejavu/DejaVuSansMono.ttf",
    "narrow": "truetype/liberation/LiberationSansNarrow-Regular.ttf",
    "palatino": "opentype/urw-base35/P052-Roman.otf",
    "sans": "truetype/dejavu/DejaVuSans.ttf",
    "schoolbook": "opentype/urw-base35/C059-Roman.otf",
    "serif": "truetype/dejavu/DejaVuSerif.ttf",
    "times": "truetype/liberation/LiberationSerif-Regular.ttf",
}

# name -> font, columns, what the page says
PAGES = {
    "czech-protocol": ("palatino", 1, """# Předávací protokol

Dne 3. listopadu 2025 byl v Olomouci předán byt č. 14 ve čtvrtém patře domu v ulici Na Příkopě 287. Přítomni byli pronajímatel, nájemce a správce domu; stav měřidel zapsal správce.

| Měřidlo | Číslo | Stav |
| --- | --- | --- |
| Elektřina | 40718823 | 15 204 |
| Plyn | 9921 5570 | 3 318 |
| Studená voda | 661 207 | 482 |
| Teplá voda | 661 208 | 219 |

Byt je čerstvě vymalován, podlaha v ložnici má u okna dvě rýhy dlouhé asi 20 cm. Nájemce převzal tři klíče od domu, dva od bytu a jeden od sklepa. Kauce ve výši 36 500 Kč byla složena v hotovosti.

Závady, které se objeví do čtrnácti dnů, opraví pronajímatel na své náklady. Další prohlídka je dohodnuta na 1. února 2026 v 17:15."""),
    "dutch-statement": ("narrow", 1, """# Rekeningoverzicht maart 2026

Rekeninghouder: Stichting De Oude Werf, Harlingen. Rekening NL61 BUND 0417 1643 00, afschrift 3 van 12. Het saldo van vorige maand bedroeg 8.214,37 euro.

| Datum | Omschrijving | Af | Bij |
| --- | --- | --- | --- |
| 02-03 | Huur loods B | 1.250,00 |  |
| 05-03 | Contributie 41 leden |  | 1.435,00 |
| 09-03 | Touwslagerij Visser | 386,90 |  |
| 14-03 | Gift erven Hoekstra |  | 5.000,00 |
| 17-03 | Verzekering klipper | 742,15 |  |
| 23-03 | Verkoop oude zeilen |  | 318,60 |
| 30-03 | Bankkosten | 11,95 |  |

Het nieuwe saldo is 12.576,97 euro. Controleer dit overzicht binnen dertien maanden en meld fouten schriftelijk bij uw kantoor; daarna gaan wij ervan uit dat u ermee akkoord bent."""),
    "english-deed": ("chancery", 1, """# Deed of gift

This deed made the seventh day of May 1998 between Eleanor Ashby of Whitmoor in the county of Devon, widow, and the trustees of the Whitmoor reading room. The donor gives to the trustees the cottage known as Number 4 Mill Lane with the garden behind it, being about 320 square yards.

The trustees shall keep the cottage in repair and use it as a place where anyone may read without payment. They shall not sell it within 21 years, and if the reading room is closed the cottage returns to the family of the donor.

Signed by the donor in the presence of two witnesses, both of Whitmoor, and entered in the register of the parish on page 212."""),
    "english-inventory": ("mono", 1, """# STORE INVENTORY 2024-12-31

| Code | Article | Stock | Price |
| --- | --- | --- | --- |
| A-1007 | Wood screw 4 x 40 | 12850 | 0.035 |
| A-1013 | Hex bolt M8 zinc | 4216 | 0.118 |
| B-2240 | Door hinge brass | 307 | 4.650 |
| B-2281 | Cylinder lock 60 | 94 | 17.900 |
| C-3005 | Varnish clear 1 l | 58 | 12.450 |
| C-3119 | Primer grey 5 l | 23 | 38.200 |
| D-4402 | Safety gloves 10 | 166 | 3.750 |
| D-4477 | Dust mask FFP2 | 1930 | 0.820 |

Counted by R. Okafor and M. Lindqvist between 07:30 and 15:45. Shelves 11 to 16 were counted twice because the first sums differed by 42 pieces.

Items of code C that are older than 24 months are written off at half their price. The next count is due on 30 June."""),
    "english-newsletter": ("schoolbook", 2, """# The Harbour Gazette

The ferry to the island runs again since Monday. For eleven weeks the old landing stage had been closed because divers found that 14 of its 38 piles were eaten away by worms. The new piles are made of oak from the hills and should last until 2060.

Captain Moira Denholm said that the first boat carried 126 people, nine dogs and a piano. The piano went to the school, which has waited for one since the flood. Fares stay as they were, but bicycles now cost 2.50 each way.

## Weather

The spring was the driest since records began in 1911. Only 63 millimetres of rain fell in March and April together, a third of what is usual. The town asks everyone to water gardens after seven in the evening and not to wash cars at all.

## Found

A silver watch without a strap was found on the mole near the lamp. It stands still at twenty past four. The owner may fetch it from the harbour office, room 6, every morning before eleven."""),
    "english-payslip": ("helvetica", 1, """# Payslip for October 2025

Employee: Thandiwe Mokoena, number 20417, department Printing. Paid on 28 October 2025 to the account ending in 5512. Tax code 1257L, insurance number QX 48 21 73 C.

| Payment | Hours | Rate | Amount |
| --- | --- | --- | --- |
| Basic pay | 152.00 | 18.40 | 2,796.80 |
| Overtime | 11.50 | 27.60 | 317.40 |
| Night bonus |  |  | 86.25 |
| Income tax |  |  | -421.17 |
| Insurance |  |  | -198.36 |
| Pension 5 % |  |  | -160.02 |

Net pay: 2,420.90. Gross pay since April: 21,884.15. Holiday taken: 17 days of 28.

Questions about this payslip are answered by the wages office on extension 344 between nine and twelve. Keep it for at least six years; a copy costs 4.00."""),
    "english-receipt": ("courier", 1, """# GREEN DOOR GROCERY

17 Bakehouse Street, open 8 to 20, phone 0555 0142 880

| Item | Price |
| --- | --- |
| Rye bread 750 g | 4.20 |
| Butter unsalted | 3.15 |
| Tomatoes 1.284 kg | 5.07 |
| Olive oil 0.5 l | 9.90 |
| Eggs free range 10 | 4.65 |
| Bag | 0.25 |

Total 27.22, paid by card 4471 on 14.02.2026 at 18:37, till 2, receipt 008819. You were served by Imogen. Goods may be returned within 14 days if they are unopened and you bring this receipt. Points collected today: 27. Points so far: 1,316."""),
    "english-report": ("times", 1, """# Inspection of the weir at Calder Bridge

The weir was inspected on 19 September 2025 at low water, with a flow of about 3.4 cubic metres a second. It is 46 metres long, was built in 1887 and last repaired in 1974.

## Findings

The crest is sound over most of its length. Between 12 and 19 metres from the left bank the stones have lost their mortar, and three of them have moved by as much as 8 centimetres. Water runs under the apron at one place; a dye test showed that it comes out again 5 metres below.

The fish pass is blocked by a fallen alder. No salmon were counted above the weir this year, against 57 in 2022 and 31 in 2023.

## Advice

The alder should be removed at once. The joints should be grouted before the winter of 2026; we estimate the cost at 38,500. The apron can wait for two more years if it is measured every spring."""),
    "english-timetable": ("condensed", 1, """# Bus 48: Upper Marden to Castle Square

Valid from 14 December 2025, Mondays to Fridays. On public holidays buses run as on Sundays; see page 31.

| Stop | first | then | and | last |
| --- | --- | --- | --- | --- |
| Upper Marden church | 05:52 | 07:12 | 16:42 | 22:07 |
| Marden mill | 05:58 | 07:19 | 16:49 | 22:13 |
| Hospital, main gate | 06:11 | 07:36 | 17:06 | 22:24 |
| Railway station | 06:19 | 07:47 | 17:17 | 22:31 |
| Market hall | 06:25 | 07:56 | 17:26 | 22:36 |
| Castle Square | 06:30 | 08:03 | 17:33 | 22:40 |

Single ticket 2.80, day ticket 6.40, children under 12 half the price. Drivers give change for notes up to 20 only. Bicycles are carried after 09:00 where there is room. Lost property is kept for 3 months in the office at the station."""),
    "finnish-notice": ("sans", 1, """# Tiedote asukkaille

Taloyhtiön vesijohdot uusitaan 12. tammikuuta ja 27. helmikuuta 2026 välisenä aikana. Työ tehdään porras kerrallaan, ja vesi on poikki arkisin kello 8.30–15.45. Urakoitsija on Putkityö Järvinen Oy.

Ennen työn alkua on keittiön ja kylpyhuoneen kaapit tyhjennettävä. Seinän viereen tarvitaan vähintään 120 senttimetriä vapaata tilaa. Lemmikkejä ei saa jättää asuntoon ilman valvontaa, koska ovet ovat päivisin auki.

## Kustannukset

Yhtiökokous hyväksyi 214 000 euron lainan äänin 31–4. Lainaosuuden voi maksaa kerralla pois 15. huhtikuuta mennessä; muuten vastike nousee 1,35 euroa neliöltä kuukaudessa. Lisätietoja antaa isännöitsijä numerossa 040 555 0178."""),
    "french-contract": ("palatino", 1, """# Contrat de location

Entre les soussignés, Madame Hélène Garçonnet, propriétaire, demeurant 9 impasse du Château à Périgueux, et Monsieur Loïc Brémond, locataire, il a été convenu ce qui suit.

## Article 1 : objet

La propriétaire loue au locataire un atelier de 84 m² situé au rez-de-chaussée, côté cour, avec accès au four à céramique deux jours par semaine. L'entrée se fait par le portail n° 3.

## Article 2 : durée et loyer

Le bail commence le 1er septembre 2025 pour une durée de trois ans. Le loyer mensuel est fixé à 615,00 €, charges comprises, payable avant le 5 de chaque mois. Il est révisé chaque année selon l'indice publié en août.

## Article 3 : dépôt

Un dépôt de garantie de 1 230,00 € est versé à la signature. Il sera restitué dans les deux mois qui suivent la remise des clés, déduction faite des réparations nécessaires."""),
    "french-invoice": ("gothic", 1, """# Facture n° 2026-0417

Imprimerie des Trois Ponts, 22 quai Saint-Étienne, 67000 Strasbourg. Client : Théâtre du Marché, référence TDM-88. Date : 9 février 2026, échéance : 11 mars 2026.

| Désignation | Quantité | Prix | Montant |
| --- | --- | --- | --- |
| Affiches 60 × 80 | 350 | 1,84 | 644,00 |
| Programmes 16 pages | 1 200 | 0,97 | 1 164,00 |
| Billets numérotés | 4 500 | 0,06 | 270,00 |
| Livraison |  |  | 35,50 |

Total hors taxes 2 113,50 €, TVA 20 % 422,70 €, total à payer 2 536,20 €. En cas de retard, une pénalité de 12,15 % est appliquée ainsi qu'une indemnité de 40 € pour frais de recouvrement. Pas d'escompte pour paiement anticipé."""),
    "german-letter": ("serif", 1, """# Kündigung der Mitgliedschaft

Sehr geehrte Frau Größwein,

hiermit kündige ich meine Mitgliedschaft im Turn- und Sportverein Überlingen (Mitgliedsnummer 7734) fristgerecht zum 31. Dezember 2025. Bitte bestätigen Sie mir den Eingang dieses Schreibens und das Ende der Mitgliedschaft schriftlich.

Den Beitrag für das zweite Halbjahr in Höhe von 96,50 Euro habe ich am 4. Juli überwiesen. Die Einzugsermächtigung für mein Konto erlischt mit dem Ende der Mitgliedschaft. Den Schlüssel zur Bootshütte Nr. 12 gebe ich bei der Jahresversammlung zurück.

Für die schönen Jahre danke ich Ihnen und der ganzen Rudergruppe. Der Umzug nach Fürstenfeldbruck lässt mir leider keine andere Wahl.

Mit freundlichen Grüßen

Jörg Weißmüller"""),
    "german-lab": ("sans", 1, """# Laborbefund 25-118834

Patientin: geboren am 17.08.1961, Station 4 B. Probe entnommen am 22.10.2025 um 07:40 Uhr, Eingang 08:25 Uhr, Befund freigegeben um 11:52 Uhr.

| Untersuchung | Ergebnis | Einheit | Bereich |
| --- | --- | --- | --- |
| Hämoglobin | 12,8 | g/dl | 12,0–15,6 |
| Leukozyten | 11,4 | /nl | 3,9–10,2 |
| Thrombozyten | 268 | /nl | 150–370 |
| Kreatinin | 0,91 | mg/dl | 0,50–0,95 |
| Kalium | 4,37 | mmol/l | 3,50–5,10 |
| Glukose | 143 | mg/dl | 70–100 |
| CRP | 38,6 | mg/l | unter 5,0 |

Die Werte für Leukozyten und CRP sprechen für eine Entzündung; eine Kontrolle in 48 Stunden wird empfohlen. Das Material war leicht hämolytisch, der Wert für Kalium kann daher etwas zu hoch sein."""),
    "hungarian-minutes": ("bookman", 1, """# Jegyzőkönyv

Készült 2025. november 18-án a győri művelődési házban, a kertbarátok egyesületének közgyűlésén. Jelen volt 47 tag a 83-ból, a közgyűlés tehát határozatképes.

Az elnök beszámolt arról, hogy az öntözőrendszer felújítása 1 860 000 forintba került, ebből az önkormányzat 750 000 forintot vállalt át. A kút vize a vizsgálat szerint ivásra nem alkalmas, öntözésre igen.

## Határozatok

A tagdíj 2026. január 1-jétől évi 6 500 forint, a nyugdíjasoknak 4 000 forint. A szőlőlugas metszését március első hetében végezzük közösen; szerszámot mindenki hozzon magával.

A közgyűlés 39 igen szavazattal, 5 ellenében, 3 tartózkodás mellett úgy döntött, hogy a keleti kerítést őszig újra kell építeni."""),
    "italian-menu": ("italic", 1, """# Trattoria al Mulino

| Piatto | Porzione | Prezzo |
| --- | --- | --- |
| Ribollita della casa | 350 g | 9,50 |
| Tagliatelle ai porcini | 280 g | 14,00 |
| Coniglio alla cacciatora | 320 g | 18,50 |
| Trota del torrente | 260 g | 17,00 |
| Formaggi di malga | 150 g | 11,50 |
| Crostata di more | 120 g | 6,00 |

Il coperto costa 2,50 euro a persona e comprende il pane, che cuociamo ogni mattina nel forno a legna. L'acqua viene dalla nostra sorgente e si beve senza pagare.

La cucina è aperta dalle 12:15 alle 14:30 e dalle 19:00 alle 22:00; il lunedì è chiuso. Chi soffre di allergie chieda alla signora Beatrice, che conosce ogni ricetta. Per gruppi di più di 15 persone è necessario prenotare tre giorni prima al numero 0555 238 914."""),
    "polish-decision": ("times", 1, """# Decyzja nr 318/2025

Na podstawie złożonego wniosku z dnia 4 sierpnia 2025 r. zezwala się pani Małgorzacie Wąsik na wycięcie dwóch świerków rosnących na działce nr 1147/6 w Żywcu przy ulicy Łąkowej.

## Uzasadnienie

Podczas oględzin w dniu 26 sierpnia stwierdzono, że drzewa o obwodach 134 i 151 cm są w znacznym stopniu zaatakowane przez kornika i zagrażają budynkowi gospodarczemu. Odległość od ściany wynosi 3,20 m.

Wycięcie powinno nastąpić poza okresem lęgowym, między 16 października a 28 lutego. W zamian należy posadzić cztery drzewa liściaste o obwodzie nie mniejszym niż 12 cm. Opłata skarbowa w wysokości 82 zł została uiszczona.

Od decyzji przysługuje odwołanie w terminie czternastu dni od jej doręczenia."""),
    "portuguese-manual": ("helvetica", 1, """# Instruções da bomba de água

Leia estas instruções antes de ligar a bomba pela primeira vez. O modelo BX-260 trabalha com 230 V e consome 1,1 kW; a altura máxima é de 34 metros e o caudal de 4.800 litros por hora.

- Coloque a bomba numa base plana, a pelo menos 50 cm da parede.
- Encha o corpo com cerca de 3 litros de água limpa.
- Aperte as uniões à mão e nunca com chave.
- Ligue a ficha apenas quando as mangueiras estiverem cheias.
- Desligue a bomba se não sair água ao fim de 90 segundos.

Limpe o filtro de 25 em 25 horas de serviço. No inverno, esvazie a bomba pela válvula inferior, pois a água gelada pode rebentar o corpo. A garantia é de 36 meses e não cobre peças de desgaste, como o vedante nº 7 e o condensador."""),
    "romanian-list": ("condensed", 1, """# Listă de prețuri pentru stupină

Prețurile sunt valabile între 1 martie și 31 octombrie 2026 și includ ambalajul. Pentru comenzi de peste 750 lei transportul este gratuit în județul Argeș.

| Produs | Cantitate | Preț |
| --- | --- | --- |
| Miere de salcâm | 900 g | 42,50 |
| Miere polifloră | 900 g | 36,00 |
| Faguri în ramă | 1 bucată | 58,75 |
| Păstură uscată | 250 g | 64,20 |
| Tinctură de propolis | 50 ml | 27,90 |
| Lumânări din ceară | 6 bucăți | 31,40 |

Mierea este filtrată la rece și nu este încălzită niciodată peste 38 de grade. Cristalizarea este un proces natural; pentru a o face din nou lichidă, țineți borcanul în apă călduță timp de 40 de minute. Comenzile se fac la telefon, în fiecare zi după ora 17."""),
    "spanish-columns": ("times", 2, """# Boletín del observatorio

El cometa que descubrieron en enero tres aficionados de Cuenca será visible a simple vista entre el 12 y el 29 de mayo. Su órbita dura 1.840 años, de modo que nadie que viva hoy volverá a verlo. La mejor hora será una hora después de la puesta del sol, mirando hacia el oeste.

La cúpula grande vuelve a girar. El motor se había quemado en noviembre y la pieza de repuesto, que pesa 215 kilos, tuvo que venir en barco. La reparación costó 9.370 euros, de los que los socios pagaron más de la mitad.

## Visitas

Los sábados se puede mirar por el telescopio de 60 centímetros. Cada grupo tiene 25 minutos y no más de 18 personas. Quien quiera venir debe apuntarse antes del jueves, y traer ropa de abrigo: arriba no se enciende la calefacción, porque el aire caliente hace temblar las imágenes.

## Préstamo

La biblioteca presta desde este mes también prismáticos y dos monturas pequeñas, por un plazo de 15 días."""),
    "swedish-form": ("gothic", 1, """# Ansökan om bygglov

| Uppgift | Svar |
| --- | --- |
| Fastighet | Västra Ängby 3:117 |
| Sökande | Åsa Björkqvist |
| Telefon | 070-555 01 63 |
| Byggnadens yta | 42,5 m² |
| Höjd till taknock | 4,10 m |
| Avstånd till gräns | 4,60 m |
| Beräknad kostnad | 385 000 kr |

Åtgärden avser ett växthus med murad sockel och ett förråd under samma tak. Fasaden blir röd med vita knutar som på bostadshuset. Grannarna på 3:115 och 3:118 har hörts och har inget att invända.

Handläggningen tar högst tio veckor räknat från den dag då ansökan är fullständig. Avgiften är 8 940 kr och faktureras även om lovet inte utnyttjas. Byggstart får ske tidigast fyra veckor efter det att beslutet har kungjorts."""),
    "turkish-letter": ("serif", 1, """# Komşulara duyuru

Değerli komşularımız, apartmanımızın çatısı geçen kışki fırtınada zarar gördü ve on iki yerden su alıyor. Üç firmadan teklif istedik; en uygun teklif 148.600 lira oldu ve iş yaklaşık dokuz gün sürecek.

Onarıma 6 Nisan 2026 Pazartesi günü başlanacak. İskele kurulacağı için bahçe tarafındaki araçların 5 Nisan akşamı saat 21.30'a kadar çekilmesini rica ederiz. Gürültü sabah sekizden önce başlamayacak.

Daire başına düşen pay 7.430 liradır ve üç taksitte ödenebilir. Ödemeler yöneticiye elden ya da bankaya yapılabilir; açıklamaya daire numaranızı yazmayı unutmayınız.

Sorularınız için yönetici Gülşen Hanım her akşam 18.00 ile 20.00 arasında 7 numaralı dairede sizi bekliyor olacak."""),
    "vietnamese-notice": ("sans", 1, """# Thông báo của thư viện

Thư viện thành phố sẽ đóng cửa từ ngày 20 tháng 1 đến ngày 3 tháng 2 năm 2026 để sửa chữa hệ thống điện. Sách mượn trong thời gian này được gia hạn thêm 21 ngày và không phải trả tiền phạt.

Phòng đọc mới ở tầng ba có 84 chỗ ngồi và 16 máy tính. Bạn đọc dưới 15 tuổi cần có người lớn đi cùng sau 19 giờ. Thẻ thư viện giá 45.000 đồng một năm, sinh viên được giảm một nửa.

## Tặng sách

Thư viện nhận sách cũ vào sáng thứ bảy hằng tuần tại quầy số 2. Sách bị mốc hoặc thiếu trang xin không gửi. Năm ngoái bạn đọc đã tặng 2.317 cuốn, trong đó 960 cuốn được chuyển cho các trường học ở vùng núi."""),
}
