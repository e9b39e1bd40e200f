use proptest::prelude::*;

use super::*;

fn kinds(markdown: &str) -> String {
    let names = |block: &Block| {
        let json = serde_json::to_value(block).unwrap();
        format!("{}:{}", json["kind"].as_str().unwrap(), block.text().replace('\n', "/"))
    };
    from_markdown(markdown).blocks.iter().map(names).collect::<Vec<_>>().join(" | ")
}

#[test]
fn forms_of_markdown_become_blocks() {
    for (markdown, expected) in [
        ("# One\n\ntwo\nlines  \nhard", "heading:One | paragraph:two lines/hard"),
        ("Title\n=====\n\n> quoted\n>\n> more", "heading:Title | paragraph:quoted | paragraph:more"),
        ("```rust\nfn x() {}\n\n  y\n```", "code:fn x() {}//  y"),
        ("- a\n  - b\n- [x] c", "list:a/b/☑ c"),
        ("3. a\n\n   more\n4. b", "list:a/more/b"),
        ("| a | b |\n|---|:-:|\n| 1 | **2** |", "table:a\tb/1\t2"),
        ("so $x^2$ costs $5-$10", "paragraph:so x^2 costs $5-$10"),
        ("$$\na = b\n$$", "formula:a = b"),
        ("\\[ E = mc^2 \\]", "formula:E = mc^2"),
        ("H<sub>2</sub>O<br>next <u>line</u>", "paragraph:H2O/next line"),
        ("a[^1]\n\n[^1]: the note", "paragraph:a1 | footnote:1 the note"),
        ("![a plan](x.png)", "figure:a plan"),
        ("![img-0.jpeg](img-0.jpeg)\n\nso ![a sign](s.png) is", "figure: | paragraph:so a sign is"),
        ("<div style=\"x\"><img src=\"imgs/a.jpg\" alt=\"A gate\" width=\"60%\" /></div>", "figure:A gate"),
        ("<img src=\"a.png\" alt=\"Image\">", "figure:"),
        ("<p align=center>shown</p>\n\n<!-- not -->", "paragraph:shown"),
        ("&copy; &lt;b&gt;", "paragraph:© <b>"),
        ("cp <file> <dir/>, vector<int>", "paragraph:cp <file> <dir/>, vector<int>"),
        ("<config>\n<a>1</a>\n</config>", "paragraph:<config>/<a>1</a>/</config>"),
        ("---", ""),
        ("", ""),
    ] {
        assert_eq!(kinds(markdown), expected, "{markdown}");
    }
}

#[test]
fn items_keep_their_numbers_and_levels() {
    let content = from_markdown("3. a\n   - b\n     1) c\n\n   more\n4. d");
    let BlockKind::List { items } = &content.blocks[0].kind else { panic!("{content:?}") };
    assert_eq!(items.iter().map(|item| item.number.as_deref()).collect::<Vec<_>>(), [Some("3."), Some("4.")]);
    let BlockKind::List { items: inner } = &items[0].blocks[0].kind else { panic!("{content:?}") };
    assert_eq!((inner[0].number.as_deref(), inner[0].text.text().as_str()), (None, "b"));
    let BlockKind::List { items: inmost } = &inner[0].blocks[0].kind else { panic!("{content:?}") };
    assert_eq!(inmost[0].number.as_deref(), Some("1)"));
    assert_eq!(items[0].blocks[1].text(), "more");
}

#[test]
fn looks_and_links_are_kept() {
    let content = from_markdown("a **b *c*** `d` [e](https://e.org) [f](javascript:x) $g$");
    let BlockKind::Paragraph { text } = &content.blocks[0].kind else { panic!("{content:?}") };
    let of = |said: &str| text.runs.iter().find(|run| run.text == said).unwrap_or_else(|| panic!("{said} in {text:?}"));
    assert!(of("b ").style.bold && !of("b ").style.italic);
    assert!(of("c").style.bold && of("c").style.italic);
    assert!(of("d").style.code && of("g").style.math);
    assert_eq!(of("e").link.as_deref(), Some("https://e.org"));
    assert!(text.runs.iter().all(|run| run.link.is_none() || run.text == "e"));
}

#[test]
fn the_markdown_stays_as_it_was_written() {
    let markdown = "#   Odd\n\n\n* star\n\n[unused]: http://h";
    assert_eq!(from_markdown(markdown).markdown.as_deref(), Some(markdown));
}

proptest! {
    /// Whatever form words take, none is missing from the blocks.
    #[test]
    fn no_words_are_lost(parts in proptest::collection::vec(prop_oneof![
        "[a-z]{3,8}", Just("# ".to_owned()), Just("- ".to_owned()), Just("1. ".to_owned()), Just("\n\n".to_owned()),
        Just("\n".to_owned()), Just("> ".to_owned()), Just("**".to_owned()), Just("` ".to_owned()), Just("```\n".to_owned()),
        Just(" ".to_owned()), Just("| ".to_owned()), Just("$".to_owned()), Just("\\[".to_owned()), Just("\\]".to_owned()),
        Just("\\(".to_owned()), Just("\\)".to_owned()), Just("|---|---|\n".to_owned()), Just("<td>".to_owned()),
        Just("<table>".to_owned()), Just("</table>".to_owned()), Just("    ".to_owned()),
    ], 0..30)) {
        let words = parts.iter().filter(|part| part.len() > 2 && part.bytes().all(|b| b.is_ascii_lowercase()));
        let markdown = parts.concat();
        let said: String = from_markdown(markdown.as_str()).blocks.iter().map(|block| block.text() + " ").collect();
        for word in words {
            prop_assert!(said.contains(word.as_str()), "{word:?} of {markdown:?} is not in {said:?}");
        }
    }
}
