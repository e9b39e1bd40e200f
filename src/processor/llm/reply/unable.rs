//! Answers that are about the model and not about the page: that it will not, cannot, or sees no picture. Pure.
//!
//! Such an answer is short, and most of its sentences are of the kind. A letter may begin alike; it goes on otherwise, or
//! stands in the page's own text. Languages that are not in the table are known by the same answer for several pages.

/// What an answer says instead of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unable {
    /// It will not, or cannot read this one.
    Refuses,
    /// It is given no picture, or cannot see any: so it is with every page.
    SeesNothing,
}

/// A longer answer is no such thing, in bytes.
const MOST: usize = 900;
/// So much of it, in hundredths, is of sentences of the kind, the first of them among the first two.
const SHARE: usize = 60;

/// One language: a sentence is of the kind when it has a word of each of three lists.
struct Language {
    /// I cannot.
    unable: &'static [&'static str],
    /// Read.
    acts: &'static [&'static str],
    /// The picture.
    things: &'static [&'static str],
    /// What alone says that there is no picture, or no sight.
    blind: &'static [&'static str],
    /// How sentences begin that go with it.
    beside: &'static [&'static str],
}

const LANGUAGES: [Language; 12] = [
    Language {
        unable: &[
            "i can't",
            "i cannot",
            "i can not",
            "i'm unable",
            "i am unable",
            "i'm not able",
            "i am not able",
            "i don't have",
            "i do not have",
            "do not have the",
            "don't have the",
            "i won't",
            "i'm not capable",
            "i couldn't",
            "i could not",
            "i must decline",
            "i have to decline",
            "not able to",
            "i'm having trouble",
        ],
        acts: &[
            "view",
            "see",
            "read",
            "process",
            "access",
            "transcri",
            "analy",
            "interpret",
            "extract",
            "assist",
            "help",
            "make out",
            "identify",
            "open",
            "provide",
            "convert",
            "recogni",
            "decipher",
            "fulfil",
            "comply",
            "display",
            "create",
            "decline",
            "complete",
            "trouble",
            "capab",
            "abilit",
        ],
        things: &[
            "image",
            "picture",
            "photo",
            "page",
            "document",
            "file",
            "attachment",
            "visual",
            "with that",
            "with this",
            "request",
            "text from",
            "scan",
            "content",
        ],
        blind: &[
            "as an ai",
            "as a language model",
            "as a text-based",
            "text-based model",
            "text-based ai",
            "text-only model",
            "language model",
            "no image",
            "any image",
            "an image attached",
            "image is missing",
            "no picture",
            "any picture",
            "no attachment",
            "not see an image",
            "image was not",
            "image wasn't",
            "image has not",
            "image did not come",
            "image didn't come",
            "provide the image",
            "provide an image",
            "upload the image",
            "upload an image",
            "share the image",
            "attach the image",
            "attach an image",
            "upload the page",
            "provide the page",
            "no file was",
            "no document was",
            "cannot view images",
            "can't view images",
            "view images directly",
            "send the image",
            "re-upload",
            "base64-encoded image",
            "base64 encoded image",
            "decode it for you",
            "is the decoded image",
            "this is a png image",
            "reupload",
        ],
        beside: &[
            "i'm sorry",
            "i am sorry",
            "sorry",
            "i apologi",
            "apologies",
            "unfortunately",
            "please",
            "could you",
            "can you",
            "if you",
            "it looks like",
            "it seems",
            "it appears",
            "once you",
            "feel free",
            "let me know",
            "however",
        ],
    },
    Language {
        unable: &["kann ich", "ich kann", "nicht in der lage", "ist mir nicht möglich", "ich darf"],
        acts: &[
            "transkrib",
            "sehen",
            "lesen",
            "anzeigen",
            "verarbeit",
            "erkennen",
            "öffnen",
            "betrachten",
            "analysier",
            "zugreifen",
            "abschreiben",
            "auslesen",
            "helfen",
        ],
        things: &["bild", "foto", "seite", "datei", "anhang", "dokument", "scan", "dabei", "anfrage"],
        blind: &[
            "kein bild",
            "keine bild",
            "ki-modell",
            "ki-sprachmodell",
            "sprachmodell",
            "keinen anhang",
            "keine datei",
            "laden sie das bild",
            "lade das bild",
        ],
        beside: &[
            "es tut mir leid",
            "tut mir leid",
            "entschuldig",
            "leider",
            "bitte",
            "könnten sie",
            "wenn sie",
            "falls",
        ],
    },
    Language {
        unable: &["je ne peux", "je ne suis pas", "je n'ai pas", "ne peux pas", "je ne parviens", "impossible"],
        acts: &[
            "voir",
            "lire",
            "transcri",
            "visualiser",
            "traiter",
            "analyser",
            "ouvrir",
            "accéder",
            "afficher",
            "aider",
        ],
        things: &["image", "photo", "page", "document", "fichier", "pièce jointe", "demande"],
        blind: &[
            "aucune image",
            "pas d'image",
            "en tant qu'ia",
            "en tant que modèle",
            "modèle de langage",
            "modèle de langue",
        ],
        beside: &[
            "je suis désolé",
            "désolé",
            "malheureusement",
            "veuillez",
            "pourriez",
            "pouvez",
            "si vous",
            "il semble",
        ],
    },
    Language {
        unable: &["no puedo", "no soy capaz", "no me es posible", "no tengo", "no he podido", "no es posible"],
        acts: &["ver", "leer", "transcri", "procesar", "analizar", "abrir", "acceder", "visualizar", "ayudar"],
        things: &["imagen", "imágenes", "foto", "página", "documento", "archivo", "solicitud"],
        blind: &[
            "ninguna imagen",
            "no veo",
            "como modelo",
            "modelo de lenguaje",
            "como ia",
            "como una ia",
            "no hay imagen",
        ],
        beside: &["lo siento", "perdón", "lamentablemente", "por favor", "podrías", "podría", "si ", "parece"],
    },
    Language {
        unable: &["non posso", "non riesco", "non sono in grado", "non ho la"],
        acts: &["vedere", "leggere", "trascri", "elaborare", "analizzare", "aprire", "visualizzare", "aiutar"],
        things: &["immagin", "foto", "pagina", "documento", "file", "richiesta"],
        blind: &["nessuna immagine", "non vedo", "come modello", "modello linguistico", "modello di linguaggio"],
        beside: &["mi dispiace", "spiacente", "purtroppo", "per favore", "potresti", "potrebbe", "se ", "sembra"],
    },
    Language {
        unable: &["não posso", "não consigo", "não sou capaz", "não tenho", "não é possível"],
        acts: &["ver", "ler", "transcre", "processar", "analisar", "abrir", "acessar", "visualizar", "ajudar"],
        things: &["imagem", "imagens", "foto", "página", "documento", "arquivo", "ficheiro", "solicitação"],
        blind: &["nenhuma imagem", "não vejo", "como modelo", "modelo de linguagem", "como uma ia", "não há imagem"],
        beside: &["desculp", "sinto muito", "lamento", "infelizmente", "por favor", "poderia", "se ", "parece"],
    },
    Language {
        unable: &["ik kan", "kan ik", "ik ben niet", "niet mogelijk"],
        acts: &["zien", "lezen", "transcri", "bekijken", "verwerken", "analyser", "openen", "helpen"],
        things: &["afbeelding", "foto", "pagina", "document", "bestand", "plaatje", "verzoek"],
        blind: &["geen afbeelding", "geen foto", "als ai", "taalmodel"],
        beside: &["het spijt me", "sorry", "helaas", "kunt u", "kun je", "als u", "upload"],
    },
    Language {
        unable: &["nie mogę", "nie jestem w stanie", "nie potrafię", "nie widzę"],
        acts: &["zobaczy", "odczyta", "przeczyta", "transkry", "przetw", "otworz", "widz", "pomóc"],
        things: &["obraz", "zdjęci", "stron", "dokument", "plik"],
        blind: &["nie widzę", "żadnego obrazu", "model językowy", "jako ai"],
        beside: &["przepraszam", "przykro mi", "niestety", "proszę", "czy możesz", "jeśli"],
    },
    Language {
        unable: &["не могу", "не в состоянии", "не вижу", "не удалось", "не способ"],
        acts: &[
            "видеть",
            "увидеть",
            "прочита",
            "прочесть",
            "расшифр",
            "транскриб",
            "обработ",
            "распозна",
            "просм",
            "откры",
            "вижу",
            "помочь",
        ],
        things: &["изображ", "картин", "фото", "страниц", "документ", "файл"],
        blind: &["не вижу", "нет изображения", "языковая модель", "как ии"],
        beside: &["извините", "к сожалению", "простите", "пожалуйста", "если"],
    },
    Language {
        unable: &["无法", "無法", "不能", "没有", "沒有", "没办法"],
        acts: &[
            "查看", "看到", "识别", "識別", "处理", "處理", "读取", "讀取", "转录", "轉錄", "分析", "访问", "提供",
            "收到", "帮助",
        ],
        things: &["图", "圖", "照片", "页面", "頁面", "文件", "附件"],
        blind: &[
            "没有看到",
            "沒有看到",
            "看不到",
            "作为一个ai",
            "作为ai",
            "作为一个人工智能",
            "语言模型",
            "請上傳",
            "请上传",
            "没有图片",
            "没有图像",
        ],
        beside: &["抱歉", "对不起", "對不起", "很遗憾", "请", "請", "如果"],
    },
    Language {
        unable: &["できません", "できない", "ありません", "見えません", "できかね"],
        acts: &["見", "読", "文字起こし", "処理", "認識", "表示", "確認", "アクセス", "提供", "添付"],
        things: &["画像", "写真", "ページ", "ファイル", "文書"],
        blind: &["画像が添付されてい", "画像が見", "画像を添付", "画像をアップロード", "言語モデル", "aiとして"],
        beside: &["申し訳", "すみません", "恐れ入り", "残念", "お手数"],
    },
    Language {
        unable: &["수 없", "못합니다", "않습니다"],
        acts: &["볼", "읽", "처리", "인식", "확인", "전사", "변환", "도와"],
        things: &["이미지", "사진", "페이지", "파일", "문서"],
        blind: &["이미지가 없", "이미지가 첨부", "이미지를 첨부", "이미지를 업로드", "언어 모델"],
        beside: &["죄송", "미안", "안타깝", "부탁"],
    },
];

/// What an answer says instead of the page, if that is what it does.
pub(super) fn unable(answer: &str) -> Option<Unable> {
    // A heading or a table is of a page.
    if answer.len() > MOST || answer.lines().any(|line| line.starts_with(['#', '|'])) {
        return None;
    }
    let said = answer.to_lowercase().replace('’', "'").replace(['*', '_', '>'], "");
    let sentences: Vec<&str> = said
        .split_inclusive(['.', '!', '?', '。', '！', '？', '\n', ';'])
        .map(str::trim)
        .filter(|sentence| sentence.chars().any(char::is_alphanumeric))
        .collect();
    LANGUAGES.iter().find_map(|language| language.classify(&sentences))
}

impl Language {
    fn classify(&self, sentences: &[&str]) -> Option<Unable> {
        let has = |sentence: &str, words: &[&str]| words.iter().any(|word| sentence.contains(word));
        let is_blind = |sentence: &str| has(sentence, self.blind) && is_of_i_or_you(sentence);
        let cannot = |s: &str| has(s, self.unable) && has(s, self.acts) && has(s, self.things) && is_denied(s);
        let is_beside = |sentence: &str| self.beside.iter().any(|word| sentence.starts_with(word));
        let first = sentences.iter().take(2).any(|sentence| is_blind(sentence) || cannot(sentence));
        if !first {
            return None;
        }
        let of_kind = |s: &&&str| is_blind(s) || cannot(s) || is_beside(s);
        let length = |sentence: &&str| sentence.chars().count();
        let all: usize = sentences.iter().map(length).sum();
        let share = sentences.iter().filter(of_kind).map(length).sum::<usize>() * 100;
        if share < all * SHARE {
            return None;
        }
        let blind = sentences.iter().any(|sentence| is_blind(sentence));
        Some(if blind { Unable::SeesNothing } else { Unable::Refuses })
    }
}

/// Whether a sentence speaks of its speaker, or to the caller: not of what hangs in a museum.
fn is_of_i_or_you(sentence: &str) -> bool {
    const LATIN: [&str; 34] = [
        "i ",
        "i'",
        "you",
        "please",
        "as an ai",
        "attached",
        "provided",
        "uploaded",
        "ich ",
        "sie ",
        "mir ",
        "bitte",
        "je ",
        "j'",
        "vous",
        "en tant",
        "aucune image n",
        "no veo",
        "puedo",
        "como ",
        "tengo",
        "non vedo",
        "posso",
        "come ",
        "não ",
        "consigo",
        "ik ",
        "als ai",
        "nie ",
        "jako ",
        "как ",
        "не вижу",
        "my ",
        "adjunt",
    ];
    !sentence.is_ascii() && sentence.chars().any(|c| c >= '\u{2e80}')
        || LATIN.iter().any(|word| sentence.contains(word))
}

/// Whether a sentence of a language whose first list does not deny by itself does so.
fn is_denied(sentence: &str) -> bool {
    const POSITIVE: [&str; 8] =
        ["kann ich", "ich kann", "ich darf", "ik kan", "kan ik", "i don't have", "i'm having", "i do not have"];
    const DENIALS: [&str; 9] = ["nicht", "kein", "niet", "geen", "not ", "n't", "trouble", "unable", "decline"];
    !POSITIVE.iter().any(|word| sentence.contains(word)) || DENIALS.iter().any(|word| sentence.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_says_of_itself_is_no_page() {
        use Unable::{Refuses, SeesNothing};
        for (answer, expected) in [
            ("I'm sorry, but I can't assist with that.", Some(Refuses)),
            ("I’m unable to transcribe this image.", Some(Refuses)),
            ("Unfortunately, I can't read the text in this image.", Some(Refuses)),
            ("I'm unable to make out the content of this image, as it is too blurry.", Some(Refuses)),
            ("I can't help with this request. If you have another page, please share it.", Some(Refuses)),
            ("As an AI language model, I am not able to view images directly.", Some(SeesNothing)),
            (
                "I don't see any image attached. Could you please upload the page you would like me to transcribe?",
                Some(SeesNothing),
            ),
            (
                "It looks like no image was provided. Please share the image of the page, and I'll transcribe it for you.",
                Some(SeesNothing),
            ),
            ("I'm a text-based model and do not have the capability to process or view images.", Some(SeesNothing)),
            (
                "Please provide the image or the text of the page so that I can convert it to Markdown.",
                Some(SeesNothing),
            ),
            ("Es tut mir leid, aber ich kann dieses Bild nicht transkribieren.", Some(Refuses)),
            ("Ich sehe kein Bild. Bitte laden Sie die Seite noch einmal hoch.", Some(SeesNothing)),
            ("Je suis désolé, mais je ne peux pas voir ni lire cette image.", Some(Refuses)),
            ("Aucune image n'a été jointe. Veuillez la fournir.", Some(SeesNothing)),
            ("Lo siento, no puedo transcribir esta imagen.", Some(Refuses)),
            ("Mi dispiace, ma non riesco a leggere l'immagine.", Some(Refuses)),
            ("Desculpe, não consigo ver a imagem.", Some(Refuses)),
            ("Het spijt me, ik kan deze afbeelding niet lezen.", Some(Refuses)),
            ("Przepraszam, nie mogę odczytać tego obrazu.", Some(Refuses)),
            ("Извините, я не могу прочитать это изображение.", Some(Refuses)),
            ("抱歉，我无法查看图片。", Some(Refuses)),
            ("申し訳ありませんが、画像を読み取ることができません。", Some(Refuses)),
            ("죄송하지만 이미지를 읽을 수 없습니다.", Some(Refuses)),
            // Pages.
            ("I'm sorry to hear of your loss.", None),
            ("# Sorry, Wrong Number", None),
            (
                "Unfortunately, the image of the harbour on last year's calendar was not the one we had ordered. I'm sorry to \
                 say that we cannot accept the delivery, and ask you to send us two hundred new ones before 3 May.\n\nOlav \
                 Dahl, clerk",
                None,
            ),
            (
                "I am sorry that I cannot read the minutes of the page you sent me. The board met on 3 May, and Mr Dahl was \
                 chosen as treasurer by nine votes. The fee stays at 35 a year. The gate gets a new lock with eleven keys.",
                None,
            ),
            ("We are unable to process your application, as the document was not legible.", None),
            ("Ich kann Ihnen das Bild der Seite schicken.", None),
            ("There is no image of the founder. The house burnt down in 1903.", None),
            ("Chapter One", None),
            ("", None),
        ] {
            assert_eq!(unable(answer), expected, "{answer}");
        }
    }
}
