//! The patterns: matched on values that were brought into one form, in lower case.

use super::AttemptKind::{
    self, Code, Command, Entity, Ldap, Line, Lookup, NoSql, Object, Path, Script, Sql, Template,
};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, PatternSet};

/// A kind, whether one match is beyond doubt, and the pattern.
type Signature = (AttemptKind, bool, &'static str);

const SIGNATURES: &[Signature] = &[
    (Sql, true, r"\bunion[\s(]+(all[\s(]+|distinct[\s(]+)?select\b"),
    (
        Sql,
        true,
        r#"['"`)]\s*(or|and|xor|\|\||&&)[\s(]+(not\s+)?['"`(]*[\w.]+['"`)]*\s*(=|<|>|!=|<>|like|in|between|is|rlike|regexp)"#,
    ),
    (Sql, true, r#"^\s*-?\d+['")\s]+(or|and|xor)[\s(]+['"(]*\w+['")]*\s*(=|<|>|like)\s*['"(]*\w"#),
    (
        Sql,
        true,
        r#"['"`)\d]\s*;\s*(drop|delete|insert|update|alter|create|exec|execute|select|shutdown|declare|truncate|waitfor|copy)\b"#,
    ),
    (
        Sql,
        true,
        r#"(['"`);=|]|\b(and|or|select|union|by|then|if))\s*\(*\s*(select\s+)?(sleep|pg_sleep|benchmark|randomblob|dbms_pipe\.receive_message)\s*\(\s*['\d]"#,
    ),
    (Sql, false, r#"\b(sleep|pg_sleep|benchmark)\s*\(\s*['\d]"#),
    (Sql, true, r"\bwaitfor\s+delay\b"),
    (
        Sql,
        true,
        r"\b(extractvalue|updatexml|load_file|xp_cmdshell|sqlite_version|group_concat|json_keys|gtid_subset)\s*\(",
    ),
    (Sql, true, r"\b(information_schema|sqlite_master|pg_catalog|sysobjects|all_tables|mysql\.user)\b"),
    (Sql, true, r"\binto\s+(outfile|dumpfile)\b"),
    (Sql, true, r#"\w?['"`]\s*\)*\s*(--|#|/\*)"#),
    (Sql, true, r#"['"`)]\s*(union|order\s+by|group\s+by|having)\s+[\w(]"#),
    (Sql, true, r"\b(order|group)\s+by\s+\d+\s*(--|#|,\s*\d)"),
    (Sql, true, r"\bcase\s+when\b.+\bthen\b.+\b(else|end)\b"),
    (Sql, true, r#"['"]\s*(\|\||\+)\s*['"(]"#),
    (Sql, true, r#"^\s*['"]?-?\d+['")\s]*\s(and|or)\s+\d+\s*(=|<|>)\s*\d+"#),
    (Sql, true, r"\(\s*select\b.+\bfrom\b"),
    (Sql, false, r"^\s*select\b.+\bfrom\s+\w+\s*(;|--|\bwhere\b.+=)"),
    (Sql, false, r#"^['"][\s\])}]*$|[^\w\s]['"]{2,}$"#),
    (
        NoSql,
        true,
        r"\bthis\.\w+\s*(==|!=|\.match)|['\x22]\s*\|\|\s*['\x22]?\w+['\x22]?\s*==|\{\s*\x22?\$(ne|gt|where|regex)\b",
    ),
    (
        Command,
        true,
        r"(^|[;|&`\n]|\$\()\s*(cat|ls|wget|curl|nc|ncat|bash|sh|powershell|nslookup|python[23]?|perl|php|rm|chmod|echo|printf|find|tail|head)\s+(-\w|/\w|~/|\$\w|\./|https?://|\.\./)",
    ),
    (
        Command,
        true,
        r"[;|&`\n]\s*(cat|ls|id|whoami|uname|ifconfig|ipconfig|netstat|printenv|pwd|hostname)(\s*$|\s*[;|&`)<>#]|\s+-)",
    ),
    (Command, true, r"[;|&`\n]\s*(sleep|ping|nslookup|timeout)\s+(-\w|\d|[\w-]+\.[\w.-]+)"),
    (
        Command,
        true,
        r"\$\((cat|ls|id|whoami|uname|wget|curl|sleep|echo)\b|`(cat|ls|id|whoami|uname|wget|curl|sleep)\b[^`]*`",
    ),
    (
        Command,
        true,
        r"/bin/(ba|da|z|c)?sh\b|\bcmd(\.exe)?\s*/c\b|\bpowershell(\.exe)?\s+-(enc|e|nop|c)|\(\)\s*\{\s*:;\s*\}",
    ),
    (Path, true, r"(\.\.[/\\]+){2,}|(^|[/\\=])\.\.[/\\]+(etc|windows|proc|var|boot|web-inf|\.env|\.git)"),
    (
        Path,
        true,
        r"(^|[/\\\x22'=:])/?etc/(passwd|shadow|group|hosts)\b|\b(boot|win)\.ini\b|/proc/self/(environ|cmdline|maps)|\bweb-inf[/\\]",
    ),
    (Path, true, r"^file:/{1,3}(etc|proc|c:)|^(php|phar|expect|zip|data)://?(filter|input|text|\w+/)"),
    (
        Script,
        true,
        r"<script\b[^>]*>|</script\s*>|<\s*(img|svg|iframe|body|input|details|video|math|object|embed|a|div|marquee)\b[^>]*\bon\w{3,20}\s*=",
    ),
    (
        Script,
        true,
        r"\bjavascript:\s*(alert|eval|prompt|confirm|fetch|document|window|//)|<iframe\b[^>]*\bsrc|\bdocument\.(cookie|location|write)\b.*[=(;+]|\bonerror\s*=\s*['\x22]?\w+\s*\(",
    ),
    (
        Template,
        true,
        r"\{\{\s*[\d'\x22].*[*+].*\}\}|\$\{\s*\d+\s*[*+-]\s*\d+\s*\}|<%=?\s*.+%>|#\{\s*\d+\s*[*+]\s*\d+\s*\}",
    ),
    (
        Template,
        true,
        r"\{\{.*(__class__|__globals__|__mro__|config\b|self\b|request\b|lipsum|cycler|constructor).*\}\}|\$\{\s*(t\(|new\s|class\.|''\.|#rt|@?java\.lang|runtime)|\{php\}|#set\s*\(\s*\$",
    ),
    (
        Entity,
        true,
        r"<!entity\s+%?\s*\S+\s+(system|public)\s|<!doctype\b[^>]*\b(system|public)\b[^>]*(file:|http:|ftp:|php:|expect:)|<xi:include\b",
    ),
    (
        Ldap,
        true,
        r"\*\)\s*\(\s*[&|!]?\s*\(?\s*\w+\s*=|\)\(\s*[|&]\s*\(|\(\s*\|\s*\(\s*\w+=\*|\*\)\)\s*(%00|\(\|)|\)\(\w+=\*\)",
    ),
    (Lookup, true, r"\$\{\s*jndi\s*:|\$\{[^}]*(lower|upper|env|sys|date|::-)[^}]*(j|n|d|i|ldap|rmi)\b?"),
    (Lookup, true, r"\$\{[^}]*:(ldaps?|rmi|dns|iiop|corba|nis)://"),
    (
        Object,
        true,
        r"^ro0ab[\w+/=]{12,}|^(aced0005)[0-9a-f]{8,}|\bo:\d+:\x22[\w\\]+\x22:\d+:\{|!!python/(object|name|module)|!!javax?\.|\x22?@type\x22?\s*[:=]\s*\x22?(com|org|java|javax)\.|\$type\x22?\s*:\s*\x22?system\.|_\$\$nd_func\$\$_|\bc__builtin__\b|\bcos\nsystem\b",
    ),
    (
        Line,
        true,
        r"[\r\n]\s*(set-cookie|location|content-type|content-length|transfer-encoding|x-[\w-]+|http/1\.[01])\s*[: ]",
    ),
    (
        Code,
        true,
        r"\b(eval|exec|system|passthru|shell_exec|proc_open|popen|assert|phpinfo|base64_decode)\s*\(\s*['\x22$(\w)]|\b__import__\s*\(|\brequire\s*\(\s*['\x22]child_process|\bprocess\.(env|mainmodule|binding)\b|\bjava\.lang\.(runtime|processbuilder)|\bgetruntime\s*\(|<\?php\b|__proto__|\bconstructor\.prototype\b",
    ),
];

/// All patterns as one, which takes time linear in the value.
pub(super) struct Signatures {
    all: Option<Regex>,
}

impl Signatures {
    pub(super) fn new() -> Self {
        let patterns: Vec<&str> = SIGNATURES.iter().map(|(_, _, pattern)| *pattern).collect();
        let bytes = syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true);
        let built = Regex::builder()
            .syntax(bytes)
            .configure(
                Regex::config()
                    .utf8_empty(false)
                    .match_kind(regex_automata::MatchKind::All)
                    .nfa_size_limit(Some(16 << 20)),
            )
            .build_many(&patterns);
        Self { all: built.ok() }
    }

    /// What a value attempts, each kind once, with whether that is beyond doubt.
    pub(super) fn kinds(&self, text: &[u8]) -> Vec<(AttemptKind, bool)> {
        let Some(all) = &self.all else { return Vec::new() };
        if !all.is_match(Input::new(text)) {
            return Vec::new();
        }
        let mut which = PatternSet::new(SIGNATURES.len());
        all.which_overlapping_matches(&Input::new(text), &mut which);
        let mut kinds: Vec<(AttemptKind, bool)> = Vec::new();
        for (kind, sure, _) in which.iter().filter_map(|at| SIGNATURES.get(at.as_usize())) {
            match kinds.iter_mut().find(|(known, _)| known == kind) {
                Some((_, known)) => *known |= sure,
                None => kinds.push((*kind, *sure)),
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        assert!(Signatures::new().all.is_some());
    }
}
