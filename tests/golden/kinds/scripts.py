"""Languages and scripts."""

import arabic_reshaper
from bidi.algorithm import get_display

from sheet import h, item, p, page, table


def right_to_left(s, y, lines, font="DejaVuSans", size=12, leading=20, right=525):
    """Lines in logical order, drawn as old programs do: in the order and the shapes that are seen."""
    for line in lines:
        s.text(right, y, get_display(arabic_reshaper.reshape(line)), font, size, "right")
        y += leading
    return y


@page
def arabic(new):
    s = new()
    right_to_left(s, 80, ["النهر"], "DejaVuSans-Bold", 20)
    right_to_left(
        s,
        115,
        [
            "ينبع النهر من التلال فوق القرية ويجري تسعة أميال قبل أن يصل إلى البحر.",
            "كانت على ضفافه أربع طواحين في عام 1612، ولم يبق منها إلا واحدة.",
        ],
    )
    right_to_left(s, 175, ["عادت الحيوانات إلى الوادي بعد زمن طويل."])
    return s


@page
def hebrew(new):
    s = new()
    right_to_left(s, 80, ["הנחל"], "DejaVuSans-Bold", 20)
    right_to_left(
        s,
        115,
        [
            "הנחל יוצא מן הגבעות שמעל הכפר וזורם תשעה קילומטרים אל הים.",
            "על גדותיו עמדו ארבע טחנות (האחרונה נבנתה בשנת 1811).",
        ],
    )
    right_to_left(s, 175, ["המחיר הוא 250 ש״ח (כולל מע״מ)."])
    return s


@page
def hebrew_table(new):
    s = new()
    rows = [
        [get_display(cell) for cell in row]
        for row in (("כמות", "מחיר", "פריט"), ("3", "12.50", "ספר"), ("10", "4.00", "עיפרון"))
    ]
    grid = table(rows, [80, 80, 120], "grid", right=(0, 1, 2), font="DejaVuSans")
    s.flow(245, 80, 280, grid)
    return s


@page
def chinese(new):
    s = new()
    s.text(70, 80, "河流", "STSong-Light", 20)
    s.lines(
        70,
        115,
        [
            "河流发源于村庄上方的山丘,流经九英里后汇入大海。干旱的夏天",
            "可以徒步过河;下了一周的雨以后,河水会冲走栅栏和羊。",
        ],
        font="STSong-Light",
        size=12,
        leading=20,
    )
    s.text(70, 175, "1996年,水獭回来了。", "STSong-Light", 12)
    return s


@page
def japanese(new):
    s = new()
    s.text(70, 80, "川の歴史", "HeiseiMin-W3", 20)
    s.lines(
        70,
        115,
        ["川は村の上の丘から流れ出し、九マイルを流れて海に注ぐ。", "岸には四つの水車があった。"],
        font="HeiseiMin-W3",
        size=12,
        leading=20,
    )
    for at, line in enumerate(("・水門を開ける", "・時刻を書く")):
        s.text(70, 170 + 20 * at, line, "HeiseiMin-W3", 12)
    return s


@page
def korean(new):
    s = new()
    s.text(70, 80, "강의 역사", "HYSMyeongJo-Medium", 20)
    s.lines(
        70,
        115,
        ["강은 마을 위의 언덕에서 시작하여 바다로 흐른다.", "강가에는 물레방아가 네 개 있었다."],
        font="HYSMyeongJo-Medium",
        size=12,
        leading=20,
    )
    return s


@page
def russian(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Река", 16, "DejaVuSerif-Bold"),
        *[
            p(t, font="DejaVuSerif", size=10)
            for t in (
                (
                    "Река берёт начало на болоте выше деревни и течёт девять миль до моря. Сухим летом её можно перейти"
                    " вброд, а после недели дождей она уносит заборы и овец."
                ),
                "Выдры вернулись в 1996 году.",
            )
        ],
        item("осмотреть затвор", font="DejaVuSerif", size=10),
        item("записать время", font="DejaVuSerif", size=10)
    )
    return s


@page
def greek(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Το ποτάμι", 16, "DejaVuSerif-Bold"),
        p(
            "Το ποτάμι πηγάζει πάνω από το χωριό και κυλά εννέα μίλια πριν φτάσει στη θάλασσα. "
            "Τέσσερις μύλοι στέκονταν στις όχθες του.",
            font="DejaVuSerif",
            size=10,
        ),
    )
    return s


@page
def german(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Satzung des Flussvereins", 16),
        h("§ 1 Name und Sitz", 12),
        p(
            "Der Verein heißt „Flussfreunde“ und hat seinen Sitz in Möhnesee. "
            "Er wird in das Vereinsregister eingetragen."
        ),
        h("§ 2 Beiträge", 12),
        p("Die Höhe der Beiträge beschließt die Mitgliederversammlung; sie beträgt höchstens 40 € im Jahr."),
    )
    return s


@page
def french(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Règlement du moulin", 16),
        p(
            "« Nul ne touche aux vannes », dit l’article 3, « sans l’accord du garde. » Où qu’il soit, le "
            "garde répond à l’appel ; à défaut, on sonne la cloche."
        ),
        p("Ouvert de 9 h à 17 h – entrée : 4,50 €."),
    )
    return s


@page
def turkish_and_polish(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Nehir / Rzeka", 16, "DejaVuSerif-Bold"),
        p(
            "Nehir, köyün üstündeki bataklıktan doğar ve denize ulaşır. Işık ağaçların arasından düşer.",
            font="DejaVuSerif",
            size=10,
        ),
        p(
            "Rzeka wypływa z bagien powyżej wsi i po dziewięciu milach wpada do morza. Źródło łatwo znaleźć.",
            font="DejaVuSerif",
            size=10,
        ),
    )
    return s


@page
def two_languages(new):
    """Side by side, as in treaties."""
    s = new()
    for x, title, text in (
        (
            60,
            "Article 1",
            "The parties keep the river clean and tell each other of each flood, without delay and free of charge.",
        ),
        (
            310,
            "Artikel 1",
            (
                "Die Parteien halten den Fluss sauber und melden einander jedes Hochwasser, unverzüglich und"
                " unentgeltlich."
            ),
        ),
    ):
        s.flow(x, 80, 225, h(title, 12), p(text, alignment=4))
    return s
