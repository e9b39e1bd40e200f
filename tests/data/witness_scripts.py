"""Pages in Greek, Chinese and Japanese for make_witness.py: what they say as Markdown, and how they are drawn.

Fonts are those of Debian's fonts-gfs-didot, fonts-wqy-zenhei and fonts-ipafont-mincho.
"""

import re

from PIL import Image, ImageDraw, ImageFont

A4 = (8.27, 11.69)  # inches
FONTS = {
    "greek": "opentype/didot/GFSDidot.otf",
    "chinese": "truetype/wqy/wqy-zenhei.ttc",
    "japanese": "opentype/ipafont-mincho/ipam.ttf",
}

PAGES = {
    "greek-minutes": """# Πρακτικά της συνεδρίασης

Η επιτροπή συνεδρίασε στις 14 Μαρτίου 2026 στην αίθουσα της βιβλιοθήκης και ενέκρινε προϋπολογισμό 48.500 ευρώ για τη νέα πτέρυγα. Παρόντα ήταν εννέα μέλη· δύο έλειπαν και είχαν στείλει επιστολή.

Ο ταμίας ανέφερε ότι οι συνδρομές του έτους 2025 έφτασαν τις 312 και ότι τα έξοδα για τη θέρμανση αυξήθηκαν κατά 18 τοις εκατό. Η στέγη επισκευάστηκε πριν από τον χειμώνα και δεν στάζει πια.

## Αποφάσεις

Οι εργασίες αρχίζουν το φθινόπωρο. Το παλιό κτίριο μένει ανοιχτό ώσπου να μεταφερθούν τα ράφια, κάτι που ο αρχιτέκτονας περιμένει την άνοιξη του 2027. Τα βιβλία των ναυτικών φυλάσσονται ως τότε στο δημαρχείο.

Η επόμενη συνεδρίαση ορίστηκε για τις 9 Ιουνίου στις 19:30. Όποιος θέλει να μιλήσει για τον κήπο το δηλώνει στη γραμματεία ως τις 25 Μαΐου.""",
    "greek-prices": """# Κατάλογος τιμών του λιμανιού

Οι τιμές ισχύουν από την 1η Απριλίου 2026 και περιλαμβάνουν το νερό, όχι όμως το ρεύμα. Για σκάφη πάνω από 14 μέτρα ρωτήστε τον λιμενάρχη.

| Υπηρεσία | Ημέρα | Μήνας |
| --- | --- | --- |
| Θέση στην προβλήτα | 12,50 | 265,00 |
| Ρυμούλκηση | 48,00 | 720,00 |
| Φύλαξη το χειμώνα | 6,75 | 140,25 |
| Γερανός με χειριστή | 95,00 | 1.310,00 |
| Αποθήκη σχοινιών | 3,20 | 58,90 |

Η πληρωμή γίνεται στο γραφείο, που είναι ανοιχτό κάθε πρωί εκτός Κυριακής. Για κρατήσεις μετά τις 15 Ιουλίου ζητείται προκαταβολή 30 τοις εκατό, η οποία επιστρέφεται μόνο σε περίπτωση απαγορευτικού.""",
    "chinese-minutes": """# 图书馆委员会会议纪要

委员会于2026年3月14日在阅览室召开会议，批准了新馆建设预算共计48500元。出席委员九人，两人因事请假并提交了书面意见。会议由馆长主持，秘书负责记录。

财务主任报告说，2025年的读者证办理数量达到312张，取暖费用比上一年增加了百分之十八。屋顶已在冬季到来之前修好，现在不再漏水，地下室的旧报纸也已经搬到二楼。

## 决定事项

工程从秋天开始。在书架全部搬完之前，旧楼继续对外开放，建筑师预计搬迁工作将在2027年春天结束。船员捐赠的图书暂时存放在市政厅的档案室里，由专人看管。

下一次会议定于6月9日晚上七点半举行。凡是希望就花园问题发言的人，请在5月25日以前到办公室登记，并附上不超过一页的说明。""",
    "chinese-prices": """# 港口服务价目表

以下价格自2026年4月1日起施行，包含用水，但不包含用电。船长超过14米的船只，请先与港务主任联系。

| 服务项目 | 每天 | 每月 |
| --- | --- | --- |
| 码头泊位 | 12.50 | 265.00 |
| 拖船服务 | 48.00 | 720.00 |
| 冬季看管 | 6.75 | 140.25 |
| 吊车及操作员 | 95.00 | 1310.00 |
| 绳索仓库 | 3.20 | 58.90 |

费用在办公室缴纳，除星期日以外每天上午开放。七月十五日以后的预订需要预付百分之三十的定金，只有在禁航期间才予以退还。遗失钥匙的人应当赔偿换锁的费用，并在三天之内通知管理员，以便其他船主可以照常使用仓库。""",
    "japanese-minutes": """# 図書館委員会の議事録

委員会は2026年3月14日に閲覧室で開かれ、新しい建物のための予算48500円を承認した。出席した委員は九人で、二人は欠席し、書面で意見を送っていた。会議は館長が進め、書記が記録した。

会計係の報告によれば、2025年の会員は312人に達し、暖房の費用は前の年より十八パーセント増えた。屋根は冬が来る前に直され、もう雨は漏らない。地下室の古い新聞は二階に移された。

## 決まったこと

工事は秋に始まる。本棚がすべて運び終わるまで古い建物は開いたままで、建築家は2027年の春に終わると見ている。船乗りたちから贈られた本は、それまで市役所の書庫で預かることになった。

次の会議は6月9日の夜七時半に開かれる。庭について話したい人は、5月25日までに事務所に申し込み、一枚以内の説明を付けること。""",
    "japanese-prices": """# 港の料金表

次の料金は2026年4月1日から適用され、水道は含まれるが電気は含まれない。長さが14メートルを超える船は、あらかじめ港の事務所に問い合わせること。

| 内容 | 一日 | 一か月 |
| --- | --- | --- |
| 桟橋の場所 | 12.50 | 265.00 |
| 引き船 | 48.00 | 720.00 |
| 冬の見張り | 6.75 | 140.25 |
| 起重機と運転手 | 95.00 | 1310.00 |
| 綱の倉庫 | 3.20 | 58.90 |

料金は事務所で支払う。事務所は日曜日を除いて毎朝開いている。七月十五日より後の予約には三割の前金が必要で、出港が禁じられた場合にだけ返される。鍵をなくした人は錠の取り替えにかかった費用を払い、三日以内に管理人に知らせること。""",
}


def lines_of(text, font, width):
    """The lines that a paragraph takes: broken at spaces, or where there are none between any two signs but within numbers."""
    parts = text.split(" ") if " " in text else re.findall(r"[0-9.]+|.", text)
    joint = " " if " " in text else ""
    line = ""
    for part in parts:
        longer = line + joint + part if line else part
        if font.getlength(longer) > width and line:
            yield line
            longer = part
        line = longer
    yield line


def drawn(page, fonts, dpi):
    """A page as a gray picture."""
    size = tuple(round(side * dpi) for side in A4)
    picture = Image.new("L", size, 255)
    draw, left, top = ImageDraw.Draw(picture), round(dpi * 0.9), round(dpi * 0.9)
    font = lambda points: ImageFont.truetype(f"{fonts}/{FONTS[page.split('-')[0]]}", round(points / 72 * dpi))
    for block in PAGES[page].split("\n\n"):
        hashes = len(block) - len(block.lstrip("#"))
        points = {0: 12, 1: 20, 2: 15}[hashes]
        used = font(points)
        step = round(points * 1.6 / 72 * dpi)
        if block.startswith("|"):
            for row in block.split("\n"):
                if not row.startswith("| -"):
                    for column, cell in enumerate(row.strip("| ").split(" | ")):
                        draw.text((left + column * round(2.3 * dpi), top), cell, font=used, fill=0)
                    top += step
        else:
            for line in lines_of(block.lstrip("# "), used, size[0] - 2 * left):
                draw.text((left, top), line, font=used, fill=0)
                top += step
        top += step // 2
    return picture
