#!/usr/bin/env python3
"""Writes the PDFs in layouts/ beside this file: a paper in two columns, tables, a form, a page in Arabic, one in Chinese.

Chromium prints what is below; ReportLab makes the form. Needs Debian's chromium, fonts-dejavu, fonts-noto-cjk and
qpdf, and ReportLab from PyPI. The PDFs are kept, as other versions of these draw other ones.
"""

import pathlib
import subprocess
import tempfile

OUT = pathlib.Path(__file__).with_name("layouts")

HEAD = """<!doctype html><meta charset="utf-8"><style>
@page { size: A4; margin: 22mm 20mm 24mm;
  @top-center { content: "TITLE"; font: italic 9pt 'DejaVu Serif' } @bottom-center { content: counter(page); font: 9pt 'DejaVu Serif' } }
body { font: 10pt/1.35 'DejaVu Serif'; margin: 0; text-align: justify; hyphens: auto }
h1 { font-size: 19pt; text-align: center; margin: 0 0 4pt } h2 { font-size: 12.5pt; margin: 12pt 0 4pt } h3 { font-size: 10.5pt; margin: 8pt 0 3pt }
p { margin: 0 0 6pt } code, pre { font: 9pt 'DejaVu Sans Mono' } sup { font-size: 6.5pt; line-height: 0 }
table { border-collapse: collapse; font-size: 9pt; margin: 8pt 0 } td, th { padding: 3pt 7pt; text-align: left; vertical-align: top }
.ruled td, .ruled th { border: .6pt solid #000 } .lines { border-top: 1pt solid; border-bottom: 1pt solid }
.lines thead th { border-bottom: .6pt solid } .n { text-align: right !important }
</style>"""

PAPER = """<html lang="en"><style>.c { column-count: 2; column-gap: 9mm; column-fill: auto; height: 208mm }
.note { font-size: 7.5pt; margin-top: 14pt; border-top: .5pt solid; padding-top: 3pt }</style>
<h1>Sewing Before Gluing</h1><p style="text-align:center">A. Binder and B. Folder<br><i>The Workshop by the River</i></p>
<div class="c">
<p><b>Abstract.</b> Books that are glued come apart at the fold that is opened most. We sew sections first and glue
afterwards, count what breaks over ten years of use, and find that <i>sewn books outlive glued ones</i> by a factor of
three, whatever the glue.</p>
<h2>1 Introduction</h2>
<p>A book begins as sheets that are printed on both sides and folded into sections.<sup>1</sup> How the sections hold
together decides how long the book will last. Glue is quick, thread takes an afternoon; that is all the difference which
a workshop sees on the day of the sale.</p>
<p>The difference that a reader sees comes later. This paper makes three contributions:</p>
<ul><li>a machine that opens books at chance places, many thousand times;</li>
<li>counts of broken folds for 120 books, <b>half of them sewn</b>;</li>
<li>a rule of thumb for workshops that cannot sew everything.</li></ul>
<p>Everything else is as in the handbook: paper, boards, cloth, and the patience of those who had to watch the machine
until the last book gave way.</p>
<h2>2 Method</h2>
<p>Each book is opened at a page that is drawn by lot, pressed flat with the weight of a hand, and closed. The program
that draws the page is short:</p>
<pre>def draw(book, seed):
    lot = random.Random(seed)
    while not book.broken:
        page = lot.randint(1, book.pages)
        book.open_at(page)</pre>
<p>The function <code>open_at</code> waits for half a second, as a reader would. A fold counts as broken when light falls
through it, which a lamp and a cell behind the spine decide.</p>
<h3>2.1 Order of the books</h3>
<ol><li>sewn books and glued books take turns;</li><li>books of one printing follow one another;</li>
<li>the last book of a day is opened again on the next.</li></ol>
<div class="note"><sup>1</sup> A section is a sheet that is folded at least once; printers also say signature.</div>
<h2>3 Results</h2>
<p>Sewn books were opened 41,200 times before the first fold broke, glued ones 13,100 times. The difference holds for
every printing and is larger for thick paper, where a glued fold takes the whole of the bending.</p>
<p>No glue that was tried changes the order. Hot glue breaks first, cold glue last, and starch in between, but the best
glued book was gone before the worst of the sewn ones.</p>
<h2>4 Conclusion</h2>
<p>Sew what will be read, glue what will be thrown away.</p></div></html>"""

TABLES = """<html lang="en"><h1>Stock of the Workshop</h1>
<p>The table shows what was there at the end of each quarter, in kilograms unless the row says otherwise.</p>
<table class="ruled"><tr><th>Material</th><th>Spring</th><th>Summer</th><th>Remarks</th></tr>
<tr><td>Board, 2 mm</td><td class="n">1,240</td><td class="n">980</td><td>two deliveries, the second one
came<br>wet and was sent back</td></tr>
<tr><td>Linen</td><td class="n">86.5</td><td class="n">102.0</td><td></td></tr>
<tr><td>Leather, calf</td><td class="n">12.25</td><td class="n">–</td><td>sold out</td></tr>
<tr><td>Glue, hot</td><td class="n">310</td><td class="n">295</td><td>see below</td></tr></table>
<p>Prices are those of the last order. Who ordered it is in the book by the door.</p>
<table class="lines"><thead><tr><th>Thread</th><th>Weight</th><th class="n">Price</th><th class="n">Reels</th></tr></thead>
<tr><td>Linen, waxed</td><td>18/3</td><td class="n">14.20</td><td class="n">36</td></tr>
<tr><td>Linen, raw</td><td>25/3</td><td class="n">11.80</td><td class="n">120</td></tr>
<tr><td>Silk</td><td>30/2</td><td class="n">48.00</td><td class="n">4</td></tr></table>
<p>The tools have a list of their own, without lines.</p>
<table><tr><th>Tool</th><th>Place</th><th class="n">Number</th></tr><tr><td>Bone folder</td><td>left drawer</td><td class="n">14</td></tr>
<tr><td>Awl</td><td>left drawer</td><td class="n">9</td></tr><tr><td>Nipping press</td><td>by the window</td><td class="n">2</td></tr>
<tr><td>Paring knife</td><td>locked away</td><td class="n">6</td></tr></table></html>"""

ARABIC = """<html lang="ar" dir="rtl"><style>body { font: 13pt/1.7 'DejaVu Sans' } h1 { font-size: 22pt } h2 { font-size: 16pt }</style>
<h1>تجليد الكتب</h1>
<p>يبدأ الكتاب بأوراق مطبوعة على الوجهين، ثم تطوى الأوراق وتجمع في ملازم. تخاط الملازم بخيط من الكتان قبل وضع
الغراء، لأن الخيط يحفظ الكتاب سنوات طويلة.</p>
<h2>أدوات العمل</h2>
<p>يحتاج المجلد إلى إبرة وخيط ومكبس وسكين. في الورشة 14 إبرة و 2 من المكابس، واشترى صاحبها مكبسا جديدا في
عام 1998 من مدينة London بسعر 250 دينارا.</p>
<ul><li>الورق الجيد لا يتغير لونه.</li><li>الجلد يحتاج إلى الصبر.</li><li>الغراء الساخن سريع الكسر.</li></ul>
<p>قال المعلم: «ما يقرأ يخاط، وما يرمى يلصق».</p></html>"""

CHINESE = """<html lang="zh"><style>body { font: 12pt/1.7 'Noto Serif CJK SC' } h1 { font-size: 22pt } h2 { font-size: 16pt }</style>
<h1>书籍装订</h1>
<p>一本书从印刷好的纸张开始。纸张双面印刷,折叠成帖,再按顺序排列。装订工先用麻线把书帖缝在一起,然后才上胶,
因为线能让书保存很多年,而胶水几年后就会变脆。</p>
<h2>工具与材料</h2>
<p>作坊里有14根针、2台压书机和一把刀。1998年,主人从伦敦(London)买来一台新的压书机,价格为250元。</p>
<ul><li>好的纸张不会变色。</li><li>皮革需要耐心。</li><li>热胶容易断裂。</li></ul>
<table class="ruled"><tr><th>材料</th><th>春季</th><th>夏季</th></tr><tr><td>纸板</td><td class="n">1,240</td><td class="n">980</td></tr>
<tr><td>麻布</td><td class="n">86.5</td><td class="n">102.0</td></tr></table>
<p>师傅说:“要读的书用线缝,要扔的书用胶粘。”</p></html>"""


def printed(name, title, body):
    with tempfile.TemporaryDirectory() as folder:
        page, raw = pathlib.Path(folder, "page.html"), pathlib.Path(folder, "page.pdf")
        page.write_text(HEAD.replace("TITLE", title) + body)
        subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
                        f"--user-data-dir={folder}/profile", f"--print-to-pdf={raw}", page.as_uri()], check=True)
        subprocess.run(["qpdf", "--deterministic-id", "--object-streams=generate", raw, OUT / name], check=True)


def form():
    from reportlab.pdfgen.canvas import Canvas
    canvas = Canvas(str(OUT / "form.pdf"), pagesize=(595, 842), invariant=1)
    canvas.setTitle("Order form")
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(60, 770, "Order form")
    canvas.setFont("Helvetica", 10)
    canvas.drawString(60, 745, "Please fill in what you need; fields with a star must not be empty.")
    fields = [("Name *", "Ada Binder"), ("Street", "7 Mill Lane"), ("Town *", "Oxford"), ("Telephone", "")]
    for row, (label, value) in enumerate(fields):
        canvas.drawString(60, 705 - 30 * row, label)
        canvas.acroForm.textfield(name=label, value=value, x=160, y=698 - 30 * row, width=240, height=20, fontSize=10,
                                  borderStyle="solid")
    canvas.drawString(60, 575, "Material")
    canvas.acroForm.choice(name="Material", value="Linen", options=["Linen", "Leather", "Paper"], x=160, y=568,
                           width=120, height=20, fontSize=10)
    canvas.drawString(60, 545, "Express")
    canvas.acroForm.checkbox(name="Express", checked=True, x=160, y=540, size=14)
    canvas.drawString(60, 505, "Orders leave the workshop on Fridays.")
    canvas.save()


OUT.mkdir(exist_ok=True)
printed("paper.pdf", "Proceedings of the Workshop", PAPER)
printed("tables.pdf", "Stock", TABLES)
printed("arabic.pdf", "", ARABIC)
printed("chinese.pdf", "", CHINESE)
form()
