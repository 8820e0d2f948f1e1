//! What documents show is what the program does: commands in them are run, and what they print is compared.
//!
//! A block fenced as `console` is run, line by line, in a folder of its page's own that holds `fixtures/` and `docs/`. A line after
//! `$ ` is a command of the shell, `> ` goes on with it, and what follows is what it prints on both outputs. A line `...` stands for any lines.
//! `UPDATE=1` writes what is printed into blocks without such a line. Commands in all other blocks, which take an
//! interface, a server or root, are not run; that they and their options exist is checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tapwire_tests::{binary, files_below, token_key, workspace};

/// README and everything below `docs/`.
fn pages() -> Vec<PathBuf> {
    let is_page = |path: &Path| path.extension().is_some_and(|extension| extension == "md");
    let mut pages = files_below(&workspace().join("docs"), &is_page);
    pages.push(workspace().join("README.md"));
    pages
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

fn name(page: &Path) -> String {
    page.strip_prefix(workspace()).unwrap_or(page).display().to_string()
}

/// A folder in which the commands of one page are run.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        for shared in ["fixtures", "docs"] {
            symlink(workspace().join(shared), path.join(shared)).expect("a link into the tree");
        }
        for own in ["target/demo", "bin", "home/.config/tapwire"] {
            fs::create_dir_all(path.join(own)).expect("a folder in a temporary folder");
        }
        symlink(binary(), path.join("bin/tapwire")).expect("a link to the binary");
        // Where a user's own key is looked for, so that tokens on pages are the same everywhere.
        let _ = token_key(&path.join("home/.config/tapwire"));
        Self { folder }
    }

    /// What a command prints on both outputs, in one order.
    fn run(&self, command: &str) -> String {
        let path = self.folder.path();
        for data in data_folders(command).map(|data| path.join(data)).filter(|data| !data.exists()) {
            fs::create_dir(&data).expect("a folder in a temporary folder");
            let _ = token_key(&data);
        }
        let tools = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .current_dir(path)
            .env_clear()
            .env("PATH", format!("{}:{tools}", path.join("bin").display()))
            .env("HOME", path.join("home"))
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        String::from_utf8(output.stdout).expect("text")
    }
}

/// Where a command keeps what it learns: a new folder would get a token key of its own, and other tokens in every run.
fn data_folders(command: &str) -> impl Iterator<Item = &str> {
    let words = command.split_whitespace();
    words.clone().zip(words.skip(1)).filter(|(option, _)| *option == "--data").map(|(_, folder)| folder)
}

/// A command of a block, and what the page says that it prints.
#[derive(Debug, Default)]
struct Shown {
    /// As it stands on the page, for writing it back.
    lines: String,
    command: String,
    output: Vec<String>,
}

fn shown(block: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            all.push(Shown { lines: format!("{line}\n"), command: command.to_owned(), output: Vec::new() });
        } else if let (Some(more), Some(last)) =
            (line.strip_prefix("> "), all.last_mut().filter(|last| last.output.is_empty()))
        {
            writeln!(last.lines, "{line}").expect("text");
            write!(last.command, "\n{more}").expect("text");
        } else {
            let last = all.last_mut().expect("a console block begins with a command");
            last.output.push(line.to_owned());
        }
    }
    all
}

/// Whether what was printed is what is shown, where `...` is any number of lines.
fn alike(shown: &[String], printed: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return printed.is_empty() };
    if first == "..." {
        return (0..=printed.len())
            .any(|skipped| printed.get(skipped..).is_some_and(|left| alike(rest, left)));
    }
    printed.split_first().is_some_and(|(line, left)| line == first && alike(rest, left))
}

/// Lines without blanks at their ends, and without empty ones around them: pages have no room for those.
fn trimmed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lines: Vec<&str> = lines.map(str::trim_end).collect();
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    let last = lines.iter().rposition(|line| !line.is_empty()).map_or(first, |last| last + 1);
    lines[first..last].iter().map(|line| (*line).to_owned()).collect()
}

/// The page as it should be, with what commands print; faults are told apart.
fn replayed(text: &str, faults: &mut Vec<String>) -> String {
    let place = Place::new();
    let mut page = String::new();
    let mut rest = text;
    while let Some((before, block, after)) = next_block(rest) {
        page.push_str(before);
        for one in shown(block) {
            let printed = trimmed(place.run(&one.command).lines());
            let expected = trimmed(one.output.iter().map(String::as_str));
            let kept = expected.iter().any(|line| line == "...");
            if !alike(&expected, &printed) {
                let (printed, expected) = (printed.join("\n"), expected.join("\n"));
                faults.push(format!("$ {}\nprints:\n{printed}\nand is shown with:\n{expected}", one.command));
            }
            page.push_str(&one.lines);
            for line in if kept { &one.output } else { &printed } {
                writeln!(page, "{line}").expect("text");
            }
            if !kept && one.output.last().is_some_and(String::is_empty) {
                page.push('\n');
            }
        }
        rest = after;
    }
    page + rest
}

/// What stands before a block and its fence, what is in it, and what stands behind.
fn next_block(text: &str) -> Option<(&str, &str, &str)> {
    const FENCE: &str = "```console\n";
    let begin = text.find(&format!("\n{FENCE}"))? + 1 + FENCE.len();
    let end = begin + text.get(begin..)?.find("\n```")? + 1;
    Some((text.get(..begin)?, text.get(begin..end)?, text.get(end..)?))
}

#[test]
fn what_documents_show_is_what_commands_print() {
    let update = std::env::var_os("UPDATE").is_some();
    let (mut blocks, mut wrong) = (0, String::new());
    for page in pages() {
        let text = read(&page);
        blocks += text.matches("\n```console\n").count();
        let mut faults = Vec::new();
        let replayed = replayed(&text, &mut faults);
        if update && replayed != text {
            fs::write(&page, replayed).expect("the page can be written");
        }
        for fault in faults {
            writeln!(wrong, "{}: {fault}\n", name(&page)).expect("text");
        }
    }
    assert!(blocks > 10, "only {blocks} blocks are run: are they fenced as console?");
    assert!(update || wrong.is_empty(), "UPDATE=1 writes what is printed:\n\n{wrong}");
}

#[test]
fn shown_lines_are_compared_with_any_lines_left_out() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(alike(&lines("a\n...\nd"), &lines("a\nb\nc\nd")));
    assert!(alike(&lines("...\na"), &lines("a")));
    assert!(!alike(&lines("a\n...\nd"), &lines("a\nb\nc")));
    assert!(!alike(&lines("a"), &lines("a\nb")) && !alike(&lines("a\nb"), &lines("a")));
    let block = "$ one \\\n> two\nout\n\n$ three\n";
    let read = shown(block);
    assert_eq!(read.len(), 2);
    assert_eq!(
        (read[0].command.as_str(), trimmed(read[0].output.iter().map(String::as_str))),
        ("one \\\ntwo", lines("out"))
    );
}

/// What `tapwire … --help` says, asked once.
#[derive(Default)]
struct Helps(BTreeMap<Vec<String>, String>);

impl Helps {
    fn of(&mut self, words: &[String]) -> &str {
        self.0.entry(words.to_vec()).or_insert_with(|| {
            let ran =
                Command::new(binary()).args(words).arg("--help").output().expect("tapwire can be started");
            String::from_utf8_lossy(&ran.stdout).into_owned()
        })
    }

    fn has(&mut self, words: &[String], option: &str) -> bool {
        let is_part = |c: char| c == '-' || c.is_ascii_alphanumeric();
        self.of(words).split(|c: char| !is_part(c)).any(|word| word == option)
    }

    /// Why this command cannot be right, if it cannot.
    fn fault(&mut self, command: &[&str]) -> Option<String> {
        let (mut words, mut rest) = self.subcommand(command)?;
        while let Some((word, more)) = rest.split_first() {
            let deeper = [words.clone(), vec![(*word).to_owned()]].concat();
            if !self.of(&words).contains(&format!("\n  {word} ")) || !self.of(&words).contains("Commands:") {
                break;
            }
            (words, rest) = (deeper, more);
        }
        if self.of(&words).is_empty() {
            return Some(format!("no command {}", words.join(" ")));
        }
        let options =
            rest.iter().filter(|word| is_option(word)).map(|word| word.split('=').next().unwrap_or(word));
        let unknown: Vec<&str> = options.filter(|option| !self.has(&words, option)).collect();
        (!unknown.is_empty()).then(|| format!("{} has no {}", words.join(" "), unknown.join(" ")))
    }

    /// The command that is meant, also where its short form stands, and what follows.
    fn subcommand<'a>(&mut self, command: &'a [&'a str]) -> Option<(Vec<String>, &'a [&'a str])> {
        let (first, rest) = command.split_first()?;
        match *first {
            "-r" if rest.get(1) == Some(&"sql") => Some((vec!["sql".to_owned()], rest.get(2..)?)),
            "-r" => Some((vec!["replay".to_owned()], rest)),
            "-i" => Some((vec!["run".to_owned()], rest)),
            "--help" | "--version" => None,
            word => Some((vec![word.to_owned()], rest)),
        }
    }
}

fn is_option(word: &str) -> bool {
    let name = word.trim_start_matches('-');
    word.starts_with('-') && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// The commands of a line of code: what follows `tapwire` up to a pipe, a comment or the end.
fn commands(line: &str) -> Vec<Vec<&str>> {
    let words: Vec<&str> = quoted_away(line);
    let starts = words.iter().enumerate().filter(|(at, word)| {
        let before = at.checked_sub(1).and_then(|before| words.get(before)).copied();
        let begins = before.is_none_or(|before| {
            ["$", "sudo", "|", "&&", ";"].contains(&before)
                || before.starts_with("--preserve-env")
                || before.ends_with("/tapwire:")
        });
        **word == "tapwire" && begins
    });
    let ends = ["|", ">", ">>", "2>", "&&", ";", "#", "&", "\\"];
    starts
        .map(|(at, _)| {
            words[at + 1..]
                .iter()
                .copied()
                .take_while(|word| !ends.contains(word) && !word.starts_with('#'))
                .collect()
        })
        .collect()
}

/// The words outside of quotes: what is inside is an argument, never a command or option.
fn quoted_away(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (index, part) in line.split(['\'', '"']).enumerate() {
        if index % 2 == 0 {
            words.extend(part.split_whitespace());
        }
    }
    words
}

#[test]
fn commands_in_documents_and_their_options_exist() {
    let (mut helps, mut seen, mut wrong) = (Helps::default(), 0, String::new());
    for page in pages() {
        let text = read(&page);
        let mut fence = None;
        for line in text.lines() {
            let is_output = fence == Some("console") && !line.starts_with("$ ") && !line.starts_with("> ");
            if let Some(language) = line.strip_prefix("```") {
                fence = if fence.is_none() { Some(language) } else { None };
            } else if !is_output && (fence.is_some() || line.starts_with("    ")) {
                for command in commands(line).iter().filter(|command| !command.is_empty()) {
                    seen += 1;
                    if let Some(fault) = helps.fault(command) {
                        writeln!(wrong, "{}: {}: {fault}", name(&page), line.trim()).expect("text");
                    }
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut wrong = String::new();
    for page in pages() {
        let text = read(&page);
        let folder = page.parent().expect("a page stands in a folder");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in
            targets.filter(|target| !target.contains("://") && !target.contains(char::is_whitespace))
        {
            let file = target.split('#').next().unwrap_or_default();
            if !folder.join(file).exists() {
                writeln!(wrong, "{}: {target}", name(&page)).expect("text");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What `config check` says of a text, as code and standard error.
fn checked(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tapwire.toml");
    fs::write(&file, text).expect("a writable folder");
    let ran = Command::new(binary()).args(["config", "check", "--config"]).arg(&file).output();
    let ran = ran.expect("tapwire can be started");
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn configurations_in_documents_are_good() {
    let installed = workspace().join("docs/install/tapwire.toml");
    let mut all = vec![(name(&installed), read(&installed))];
    for page in pages() {
        let text = read(&page);
        let blocks = text.split("\n```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        all.extend(blocks.map(|block| (name(&page), block.to_owned())));
    }
    for (place, text) in &all {
        assert_eq!(checked(text), (Some(0), String::new()), "{place}:\n{text}");
    }
    assert!(all.len() > 3, "only {} configurations were found", all.len());
}

#[test]
fn the_service_is_one_that_systemd_takes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = folder.path().join("tapwire.service");
    let text = read(&workspace().join("docs/install/tapwire.service"));
    // Programs and manual pages that it names have to be there.
    let text = text.replace("/usr/bin/tapwire", &binary().display().to_string());
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("Documentation="))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&unit, text).expect("a writable folder");
    let Ok(ran) = Command::new("systemd-analyze").arg("verify").arg(&unit).output() else {
        tapwire_testkit::peers::lacks("systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&ran.stderr);
    // It looks at units of the machine, too; what it says of those is not ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("tapwire.service")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = Command::new(binary())
        .args(["man", "--to"])
        .arg(folder.path())
        .output()
        .expect("tapwire can be started");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let index = read(&folder.path().join("tapwire.1"));
    let named: Vec<String> = index
        .lines()
        .filter_map(|line| line.strip_suffix("(1)"))
        .map(|line| format!("{}.1", line.replace('\\', "")))
        .collect();
    assert!(named.len() > 20, "only {} commands are named in tapwire.1", named.len());
    let reference = read(&workspace().join("docs/commands.md"));
    for page in named {
        let command = page.trim_start_matches("tapwire-").trim_end_matches(".1");
        assert!(reference.contains(&format!("\n## {command}\n")), "docs/commands.md lacks {command}");
        assert!(folder.path().join(&page).is_file(), "{page} is named and not written");
    }
}
