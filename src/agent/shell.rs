//! The built-in `shell` agent: a prompt's fenced `sh` blocks as one POSIX shell program.
//!
//! It runs what is written in the prompt and thinks nothing, which is what demonstrations, tests and plain chores
//! need. The program is run as `sh FILE`:
//!
//! - blocks fenced as `sh`, `bash` or `shell` run in order, all by the POSIX shell; other blocks and prose are ignored;
//! - each block runs in a subshell of its own with `set -e`: its variables, its directory and an `exit` end with it;
//! - the first block that fails ends the program with that block's exit code;
//! - each block is announced on standard error, so that standard output is the blocks' output alone: it is the agent's
//!   reply, and may hold a completion promise or be a router's one line.
//!
//! Fences are read as `CommonMark` has them: three or more backticks or tildes, indented by at most three spaces. A
//! block inside a longer fence is an example, not a command.

use std::fmt::Write as _;

/// Why a prompt is not one that the `shell` agent can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellPromptError {
    /// There is nothing to run.
    #[error(
        "it has no fenced block that is marked `sh`, `bash` or `shell`: add one, or choose another agent"
    )]
    NoBlock,
    /// A block never ends, so that what belongs to it is a guess.
    #[error("line {line}: the block that opens here is never closed: add a line with {fence}")]
    Unclosed {
        /// Where it opens, from 1.
        line: usize,
        /// What would close it.
        fence: String,
    },
    /// A block has a NUL byte.
    #[error("line {line}: a NUL byte cannot stand in a shell block: is the prompt a text file?")]
    Nul {
        /// Where, from 1.
        line: usize,
    },
}

struct Block {
    line: usize,
    source: String,
}

/// The program that runs the prompt's blocks.
pub fn script(prompt: &str) -> Result<String, ShellPromptError> {
    let blocks = shell_blocks(prompt)?;
    if blocks.is_empty() {
        return Err(ShellPromptError::NoBlock);
    }
    let count = blocks.len();
    let mut program = String::from("# The fenced shell blocks of a prompt, one subshell each.\n");
    for (index, block) in blocks.iter().enumerate() {
        let title = format!("baton: block {} of {count} (line {} of the prompt)", index + 1, block.line);
        // `eval` of a quoted text keeps a block's syntax errors, and its unbalanced quotes, inside the block. The
        // status is read on a line of its own, since `set -e` is void in a subshell whose status is tested.
        let written = writeln!(
            program,
            "printf '%s\\n' '{title}' >&2\n(\nset -e\neval '{}'\n)\nbaton_status=$?\nif [ \"$baton_status\" -ne 0 ]; then\n    \
             printf '%s\\n' \"{title} failed with exit code $baton_status\" >&2\n    exit \"$baton_status\"\nfi",
            block.source.replace('\'', r"'\''"),
        );
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
    Ok(program)
}

struct Fence<'a> {
    mark: char,
    length: usize,
    indent: usize,
    info: &'a str,
}

fn shell_blocks(prompt: &str) -> Result<Vec<Block>, ShellPromptError> {
    let mut blocks = Vec::new();
    let mut open: Option<(Fence<'_>, Block)> = None;
    for (index, line) in prompt.lines().enumerate() {
        let number = index + 1;
        match open.take() {
            None => open = fence(line).map(|fence| (fence, Block { line: number, source: String::new() })),
            Some((opening, block)) if closes(line, &opening) => {
                if runs(opening.info) {
                    blocks.push(block);
                }
            }
            Some((opening, mut block)) => {
                if runs(opening.info) && line.contains('\0') {
                    return Err(ShellPromptError::Nul { line: number });
                }
                block.source.push_str(unindented(line, opening.indent));
                block.source.push('\n');
                open = Some((opening, block));
            }
        }
    }
    match open {
        None => Ok(blocks),
        Some((opening, block)) => Err(ShellPromptError::Unclosed {
            line: block.line,
            fence: opening.mark.to_string().repeat(opening.length),
        }),
    }
}

fn fence(line: &str) -> Option<Fence<'_>> {
    let rest = line.trim_start_matches(' ');
    let indent = line.len() - rest.len();
    let mark = rest.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = rest.trim_start_matches(mark);
    let length = rest.len() - info.len();
    let is_inline_code = mark == '`' && info.contains('`');
    (indent <= 3 && length >= 3 && !is_inline_code).then(|| Fence { mark, length, indent, info: info.trim() })
}

fn closes(line: &str, opening: &Fence<'_>) -> bool {
    fence(line).is_some_and(|closing| {
        closing.mark == opening.mark && closing.length >= opening.length && closing.info.is_empty()
    })
}

fn runs(info: &str) -> bool {
    let language = info.split_whitespace().next().unwrap_or_default();
    ["sh", "bash", "shell"].iter().any(|known| language.eq_ignore_ascii_case(known))
}

fn unindented(line: &str, indent: usize) -> &str {
    let leading = line.len() - line.trim_start_matches(' ').len();
    &line[leading.min(indent)..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn sources(prompt: &str) -> Vec<(usize, String)> {
        shell_blocks(prompt).unwrap().into_iter().map(|block| (block.line, block.source)).collect()
    }

    fn one(line: usize, source: &str) -> Vec<(usize, String)> {
        vec![(line, source.to_owned())]
    }

    #[rstest]
    #[case::sh("text\n```sh\necho a\n```\n", 2, "echo a\n")]
    #[case::bash_with_more("``` bash title=x\necho a\n```", 1, "echo a\n")]
    #[case::capitals("```Shell\necho a\n```", 1, "echo a\n")]
    #[case::tildes("~~~sh\n```\necho a\n~~~", 1, "```\necho a\n")]
    #[case::a_longer_closing_fence("```sh\necho a\n`````  \n", 1, "echo a\n")]
    #[case::a_shorter_fence_is_content("````sh\n```\n````\n", 1, "```\n")]
    #[case::indented_in_a_list(
        "1. do\n\n   ```sh\n   if x; then\n     y\n   fi\n   ```\n",
        3,
        "if x; then\n  y\nfi\n"
    )]
    #[case::windows_line_ends("```sh\r\necho a\r\n```\r\n", 1, "echo a\n")]
    #[case::empty("```sh\n```\n", 1, "")]
    fn a_fenced_shell_block_is_found(#[case] prompt: &str, #[case] line: usize, #[case] source: &str) {
        assert_eq!(sources(prompt), one(line, source));
    }

    #[rstest]
    #[case::another_language("```rust\nfn main() {}\n```\n")]
    #[case::no_language("```\nrm -rf /\n```\n")]
    #[case::a_session("```shell-session\n$ rm -rf /\n```\n")]
    #[case::an_example_in_a_longer_fence("````markdown\n```sh\nrm -rf /\n```\n````\n")]
    #[case::indented_code("    ```sh\n    rm -rf /\n    ```\n")]
    #[case::inline_code("``` `sh` ```\n")]
    #[case::prose("run sh\n")]
    #[case::nothing("")]
    fn what_is_not_a_fenced_shell_block_is_never_run(#[case] prompt: &str) {
        assert_eq!(sources(prompt), vec![]);
        assert_eq!(script(prompt), Err(ShellPromptError::NoBlock));
    }

    #[rstest]
    #[case("a\n```sh\necho\n", "line 2: the block that opens here is never closed: add a line with ```")]
    #[case(
        "~~~~text\n```sh\nrm\n```\n",
        "line 1: the block that opens here is never closed: add a line with ~~~~"
    )]
    #[case(
        "```sh\na\n\0\n```\n",
        "line 3: a NUL byte cannot stand in a shell block: is the prompt a text file?"
    )]
    #[case(
        "",
        "it has no fenced block that is marked `sh`, `bash` or `shell`: add one, or choose another agent"
    )]
    fn a_prompt_that_cannot_be_run_is_refused_with_the_line(#[case] prompt: &str, #[case] text: &str) {
        assert_eq!(script(prompt).unwrap_err().to_string(), text);
    }

    #[test]
    fn the_program_is_what_a_person_can_read() {
        insta::assert_snapshot!(script("```sh\necho 'a b'\n```\n").unwrap(), @r#"
        # The fenced shell blocks of a prompt, one subshell each.
        printf '%s\n' 'baton: block 1 of 1 (line 1 of the prompt)' >&2
        (
        set -e
        eval 'echo '\''a b'\''
        '
        )
        baton_status=$?
        if [ "$baton_status" -ne 0 ]; then
            printf '%s\n' "baton: block 1 of 1 (line 1 of the prompt) failed with exit code $baton_status" >&2
            exit "$baton_status"
        fi
        "#);
    }

    proptest! {
        #[test]
        fn any_prompt_is_a_program_or_a_refusal(prompt in "((```|~~~|    |sh|text|'|\"|\n|\0|é| ){0,30})|\\PC{0,60}") {
            if let Ok(program) = script(&prompt) {
                prop_assert!(!program.contains('\0'));
            }
        }
    }
}
