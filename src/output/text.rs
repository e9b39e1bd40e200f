//! Blocks → plain text: no markup, an empty line between blocks, cells parted by tabs.

use super::plain;
use crate::content::{Block, BlockKind, Cell, Edge, ListItem};

/// Blocks as text, without a line end behind them. Those in margins that other pages repeat are left out.
#[must_use]
pub fn blocks(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks.iter().filter(|block| is_shown(block)) {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        write(&mut text, block, 0);
    }
    text
}

fn is_shown(block: &Block) -> bool {
    match &block.kind {
        BlockKind::Margin { edge, repeated, .. } => *edge != Edge::Side && !repeated,
        BlockKind::Figure(figure) => !figure.caption.is_empty(),
        _ => true,
    }
}

fn write(text: &mut String, block: &Block, indent: usize) {
    let pad = " ".repeat(indent);
    if let BlockKind::List { items } = &block.kind {
        for (at, item) in items.iter().enumerate() {
            text.push_str(if at > 0 { "\n" } else { "" });
            write_item(text, item, indent);
        }
    } else {
        let said = said(block);
        text.push_str(&said.split('\n').map(|line| format!("{pad}{line}")).collect::<Vec<_>>().join("\n"));
    }
}

fn said(block: &Block) -> String {
    match &block.kind {
        BlockKind::Heading { text, .. }
        | BlockKind::Paragraph { text }
        | BlockKind::Footnote { text }
        | BlockKind::Margin { text, .. } => plain::inline(text),
        BlockKind::Table(table) => {
            let row = |row: &Vec<Cell>| row.iter().map(|cell| plain::inline(&cell.text)).collect::<Vec<_>>().join("\t");
            table.rows.iter().map(row).collect::<Vec<_>>().join("\n")
        }
        BlockKind::Figure(figure) => plain::inline(&figure.caption),
        BlockKind::Code { .. } | BlockKind::Formula { .. } | BlockKind::List { .. } => block.text(),
    }
}

fn write_item(text: &mut String, item: &ListItem, indent: usize) {
    let sign = item.number.as_deref().unwrap_or("-");
    let said = plain::inline(&item.text);
    text.extend([&" ".repeat(indent), sign, " ", &said]);
    for block in item.blocks.iter().filter(|block| is_shown(block)) {
        text.push('\n');
        write(text, block, indent + sign.chars().count() + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;

    #[test]
    fn blocks_are_read_without_their_markup() {
        for (markdown, expected) in [
            ("# One\n\n**two** [three](https://e.org)  \nfour", "One\n\ntwo three\nfour"),
            ("- a\n  - b\n\n    c\n- d", "- a\n  - b\n    c\n- d"),
            ("10. a\n    - b", "10. a\n    - b"),
            ("- 10<sup>-19</sup> C", "- 10⁻¹⁹ C"),
            ("| a | b |\n|---|---|\n| 1 | |", "a\tb\n1\t"),
            ("```\nx\n  y\n```\n\n$$a^2$$", "x\n  y\n\na^2"),
            ("![a plan](x)\n\n- b\n\n  ![](y)\n- c", "a plan\n\n- b\n- c"),
            ("", ""),
        ] {
            assert_eq!(blocks(&from_markdown(markdown).blocks), expected);
        }
    }
}
