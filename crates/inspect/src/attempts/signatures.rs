//! The patterns: matched on values that were brought into one form, in lower case.
//!
//! What closes a text of the server's is the first quote of a value: in what people write, and in queries that clients put
//! together, the first quote opens one. Patterns of SQL hang on that, or on a number at the very beginning.

use super::AttemptKind::{
    self, Code, Command, Entity, Ldap, Line, Lookup, NoSql, Object, Path, Script, Sql, Template,
};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, PatternSet};

/// A kind, whether one match is beyond doubt, and the pattern.
type Signature = (AttemptKind, bool, &'static str);

const SIGNATURES: &[Signature] = &[
    (
        Sql,
        true,
        r#"\bunion[\s(]+(all[\s(]+|distinct[\s(]+)?select[\s(]*(null\b|-?\d|@@|['"*]|[\w.]+\)?\s*,|[\w.]+\(|[\w.]+[\s)]+from[\s(]+[\w.]+\s*($|--|[#;,)]|where\b|limit\b))"#,
    ),
    // A text is closed, and a condition goes on that is always true or false, or asks.
    (
        Sql,
        true,
        r#"^[^'"`]*['"`][\s)]*(or\b|and\b|xor\b|\|\||&&)[\s(]*(not[\s(]+)?(''|""|['"(]*[\w.]+['")]*)\s*(=|<|>|!=)"#,
    ),
    (
        Sql,
        true,
        r#"^[^'"`]*['"`][\s)]*(or\b|and\b|xor\b|\|\||&&)[\s(]*(not[\s(]+)?['"(]*[\w.]+['")\s]+(like|in|between|rlike|regexp|is)\s*(['"(%\d]|not\s+null\b|null\b)"#,
    ),
    (
        Sql,
        true,
        r#"^[^'"`]*['"`][\s)]*(or\b|and\b|xor\b|\|\||&&)[\s(]*(true|false|\d+)[\s)]*(--|#|$|or\b|and\b)"#,
    ),
    (
        Sql,
        true,
        r#"(^[^'"`]*['"`][\s)]*|^\s*-?\d+['")\s]*)(or\b|and\b|xor\b|\|\||&&|rlike\b|[-+*])[\s(]*(not[\s(]+)?(sleep|benchmark|pg_sleep|ascii|ord|substring|substr|mid|exists|extractvalue|updatexml|if|length|char|select)\s*\("#,
    ),
    (Sql, true, r#"^[^'"`]*['"`]\s*(\|\||\+)\s*\(\s*select\b"#),
    (
        Sql,
        true,
        r#"(^\s*-?\d+|\d\))['")\s]*\s(or|and|xor|\|\||&&)[\s(]+(not[\s(]+)?['"]?\d+['"]?\s*(=|<|>|!=|\bin\s*\()\s*['"(]*\d"#,
    ),
    (Sql, true, r#"^\s*-?\d+['")]+\s*(or|and|xor)[\s(]+['"]?\w+['"]?\s*(=|<|>|like)\s*['"(]*\w"#),
    // A statement behind another one.
    (
        Sql,
        true,
        r#";\s*(drop\s+(table|database|view|user|schema)\b|delete\s+from\s+[\w.]+\s*(where|;|--|$)|insert\s+into\s+[\w.]+\s*(\(|values|select)|update\s+[\w.]+\s+set\s+\w+\s*=|alter\s+(table|user)\s|create\s+(user|function|login)\s|exec(ute)?[\s(]+(master|xp_|sp_|['"])|truncate\s+table\s|declare\s+@|copy\s+\w+\s+(from|to)\s)"#,
    ),
    (Sql, true, r#"['"`)\d]\s*;\s*(shutdown\b|select\s+(pg_sleep|sleep|@@|version|\*|[\w.,\s]+\sfrom\s))"#),
    (
        Sql,
        true,
        r#"(['"`);=|,(]|\b(select|union|by|then|if|rlike))\s*\(*\s*(select\s+)?(sleep|pg_sleep|benchmark|randomblob|dbms_pipe\.receive_message)\(\s*['\d]"#,
    ),
    (Sql, true, r#"\bwaitfor\s+delay\s+['"]"#),
    (
        Sql,
        true,
        r"\b(extractvalue|updatexml|load_file|sqlite_version|group_concat|gtid_subset)\(|\bxp_cmdshell\s*['(]",
    ),
    (
        Sql,
        true,
        r"\b(from|join|into)[\s(]+[\w.]*(information_schema|sqlite_master|pg_catalog|sysobjects|all_tables|mysql\.user)\b",
    ),
    (Sql, true, r#"\binto\s+(outfile|dumpfile)\s+['"]"#),
    // The rest of the statement is made a comment.
    (Sql, true, r#"^[^'"`]*['"`][\s)]*(--|#)[\s+-]*$"#),
    (Sql, true, r#"^[^'"`]*['"`]\)*(--|#)\s*\w{0,8}$|^[^'"`]*['"`]\)*\s*/\*"#),
    (
        Sql,
        true,
        r#"(^[^'"`]*['"`][\s)]*|^\s*-?\d+\)*\s+)((order|group)\s+by\s+\d+\s*(--|#|,|$)|having\s+['"(]*[\w.]+['")]*\s*[=<>])"#,
    ),
    (Sql, true, r#"\bcase\s+when\s*\(?\s*[\w'"().]+\s*(=|<|>|\slike\s).+\bthen\b"#),
    (
        Sql,
        true,
        r#"([=<>,+|'"]|\b(and|or|union|exists|in|if|from)\b)\s*\(+\s*select\s+[\w.*@'"(),\s]+\sfrom[\s(]+[\w.]+\s*([),]|where\b|limit\b|order\b)"#,
    ),
    (Sql, true, r"^\(\s*select\s+(\d|\*|@@|null|[\w.]+\().*\sfrom\s+[\w.]+\s*\)"),
    (Sql, false, r#"^[\w.-]{0,12}'["'()\\]*\)?$"#),
    (
        NoSql,
        true,
        r#"^[^'"]*['"]\s*(\|\||&&|;)\s*(this\.|return\b|['"]?\w+['"]?\s*==)|^\s*this\.\w+\s*(==|!=|\.match)"#,
    ),
    (
        NoSql,
        true,
        r#"^\s*\{\s*["']?\$(ne|gt|gte|lt|lte|in|nin|regex|where|exists|not|expr)\b|\$where["']?\s*:|(user|login|mail|pass|pwd|token|pin|otp)\w*["']?\s*:\s*\{\s*["']?\$|\$or["']?\s*:\s*\[\s*\{\s*\}"#,
    ),
    (
        Command,
        true,
        r"(^\s*\n\s*|[;|&`]\s*|\$\(\s*)(cat|ls|wget|curl|nc|ncat|bash|sh|chmod|rm|find|tail|head|echo)(\s+|\$\{?ifs\}?)(-[a-z]{1,3}(\s|$)|/(\w|\s*$)|~/|\$\w|\./|https?://|\.\./)",
    ),
    (
        Command,
        true,
        r"[;|&`\n]\s*(whoami|uname|ifconfig|ipconfig|netstat|printenv)(\s*$|\s*[;|&`)<>#]|\s+-[a-z]{1,3}\b)",
    ),
    (Command, true, r"^\s*([;|&\n]|%0a)+\s*(id|ls|pwd|env|dir|hostname|ps)\s*($|[;|&`)<>#])"),
    (Command, false, r"[;|&]\s*(id|ls|pwd|env|dir|hostname|ps)\s*($|[;|&`)<>#])"),
    (
        Command,
        true,
        r"[;|&`\n]\s*((ping|nslookup|dig)(\s+-[a-z]\s*\d*)*\s+[\w-]+(\.[\w-]+)+|sleep\s+\d+\s*($|[;|&`)#]))",
    ),
    (
        Command,
        true,
        r"\$\(\s*((whoami|uname|sleep|curl|wget|cat|ls|nslookup|ping|printenv)[\s)]|id\s*\)([^.\w]|$))|^[^\s`]*`\s*(id|whoami|uname|sleep|curl|wget|cat|ls|ping|nslookup)\b[^`]*`[^\s`]*$",
    ),
    (
        Command,
        true,
        r"/bin/(ba|da|z|c)?sh\s+-[ci]\b|(^\s*\n|[;|&`])\s*/(usr/)?bin/\w+\s|\bcmd(\.exe)?\s*/c\s+\w|\bpowershell(\.exe)?\s+-(e|en|enc|encodedcommand|nop|c|command)\s|\(\)\s*\{\s*:;\s*\}|\$\{ifs\}|/dev/(tcp|udp)/\w",
    ),
    (
        Command,
        true,
        r#"[;|&]\s*([a-z]*['"\\][a-z]+['"\\][a-z]*\s+[/-]\w|(type|dir|copy|del)\s+[a-z]:\\|(python[23]?|perl|php|ruby|node)\s+-[cer]\b)"#,
    ),
    (Path, true, r"(\.\.+[/\\]+){3,}|\.\.;/|(\.{3,}[/\\]+){2,}"),
    (Path, false, r"(\.\.+[/\\]+){2}"),
    (
        Path,
        true,
        r"(^|[/\\])\.\.[/\\]+([\w.]+[/\\]+)*(etc[/\\]|windows[/\\]|proc/|var/log|root/|boot\.ini|web-inf|\.env\b|\.git/|\.ssh/|\.aws/)",
    ),
    (
        Path,
        true,
        r#"(^|[/\\'"=:])/?etc/(passwd|shadow|group|hosts)\b|\b(boot|win)\.ini$|^[a-z]:\\(boot|windows\\)|/proc/self/(environ|cmdline|maps|fd)|(^|/)web-inf[/\\]|/\.ssh/(id_|authorized_)"#,
    ),
    (
        Path,
        true,
        r"^file:/{1,3}(etc|proc|root|home|c:)|^(php|phar|expect|zip|data)://?(filter|input|text|\w+/)",
    ),
    (Script, true, r"<script\b[^>]*>|</script\s*>|<[a-z][a-z0-9]*[\s/][^>]*\bon[a-z]{3,20}\s*="),
    (
        Script,
        true,
        r#"\bjavascript:\s*(alert|eval|prompt|confirm|fetch|document|window|//)|^[^<>]*["'][^<>]*\bon[a-z]{4,18}\s*=\s*["']?[a-z.]+\s*[(`]|['"]\s*[-;+*/]+\s*(alert|prompt|confirm|eval|fetch)\s*[(`]"#,
    ),
    (
        Template,
        true,
        r#"(\{\{|[$#*]\{|@\(|<%=?)\s*-?\d+\s*[*+-]\s*['"]?\d+['"]?\s*(\}|\)|%>)|\{php\}|#set\s*\(\s*\$\w+\s*=|<#assign[^>]*\?new\(|freemarker\.template\.utility"#,
    ),
    (
        Template,
        true,
        r#"\{\{.*(__class__|__globals__|__mro__|__init__|\bself\.|\brequest\.(application|environ)|\blipsum|\bcycler|\bjoiner|constructor\.constructor).*\}\}|\{\{\s*config\s*(\}|\.items|\.from|\[)|\$\{\s*(t\(|new\s|''\.|#rt|@?java\.lang|runtime\b)|<%=?[^%]*\b(system|exec|popen|`)"#,
    ),
    (
        Entity,
        true,
        r"<!entity\s+(%\s*)?\S+\s+(system|public)\s|<!doctype\b[^>\[]*\b(system|public)\b[^>]*(file:|ftp:|php:|expect:|gopher:)|<xi:include\b",
    ),
    (Entity, false, r"<!doctype\b[^>\[]*\bsystem\b[^>]*https?:"),
    (Ldap, true, r"\*\)\([&|!]?\(?\w+=|\)\([|&!]\(|\)\([&|]\)|\*\)\)(\x00|%00|\(\|)|\)\(\w+=\*\)"),
    (
        Lookup,
        true,
        r"\$\{\s*jndi\s*:|\$\{[^}]*:(ldaps?|rmi|dns|iiop|corba|nis)://|\$\{\s*\w{0,4}\s*\$\{[^}]*(:-|lower\s*:|upper\s*:|env\s*:|sys\s*:|date\s*:)",
    ),
    (
        Object,
        true,
        r#"^aced0005[0-9a-f]{6,}|\bo:\d+:"[\w\\]+":\d+:\{|!!python/(object|name|module)|!!javax?\.|"?@type"?\s*[:=]\s*"?(com\.sun\.|org\.apache\.(commons|xalan|ibatis|shiro|xbean)|java\.(lang|net|rmi)\.|javax\.(naming|management|swing|script)|org\.springframework\.)|\$type"?\s*:\s*"?system\.(windows|diagnostics|configuration|management|security|web|activities|workflow)|_\$\$nd_func\$\$_|\bc__builtin__\b|\bcos\nsystem\b"#,
    ),
    (
        Line,
        true,
        r"[\r\n]\s*(set-cookie|content-length|transfer-encoding|content-type)\s*:|[\r\n]\s*location\s*:\s*(https?:)?/|[\r\n]x-[\w-]+:\s*\S|[\r\n]http/1\.[01]\s+\d|\r\n\r\n\s*<|[\r\n]bcc\s*:\s*\S+@",
    ),
    (
        Code,
        true,
        r#"\b(eval|exec|system|passthru|shell_exec|proc_open|popen|assert)\(\s*(['"$]|base64|compile|require|__)|\bphpinfo\(\)|\bbase64_decode\(|\b__import__\s*\(|\brequire\s*\(\s*['"]child_process|\bprocess\.(mainmodule|binding)\b|\bjava\.lang\.(runtime|processbuilder)\b|\bgetruntime\s*\(|<\?php\b|__proto__\s*[\[.]|\bconstructor\.prototype\b"#,
    ),
];

/// Orders for a language model: to leave its own, to hide what it does, to play another part, to carry data away.
const ORDERS: &[&str] = &[
    r"\b(ignore|disregard|forget|override)\b.{0,30}\b(previous|prior|above|earlier|preceding|system|your|all)\b.{0,20}\b(instructions?|prompts?|rules|guidelines|directions)\b",
    r"\b(do not|don't|never|without)\b.{0,24}\b(tell|mention|telling|mentioning|inform|informing|asking|ask|reveal|notify|show)\b.{0,24}\b(the )?(user|human|operator)\b",
    r"<\s*/?\s*(system|important|instructions?|assistant)\s*>|\[/?(system|inst)\]|<\|im_(start|end)\|>",
    r"\b(you are now|act as|pretend to be|enter)\b.{0,24}\b((maintenance|developer|debug|god|unrestricted|admin) mode|jailbr\w*|dan)\b",
    r"\b(read|send|forward|post|upload|exfiltrate|pass|include|copy)\b.{0,60}(~/\.ssh|id_rsa|\.env\b|api keys?\b|passwords?\b|credentials?\b|conversation|system prompt|chat history).{0,60}\b(to|as|in|into|via)\b",
];

/// All patterns as one, which takes time linear in the value.
pub(super) struct Signatures {
    all: Option<Regex>,
    /// Made when a tool's answer first needs it.
    orders: std::cell::OnceCell<Option<Regex>>,
}

impl Signatures {
    pub(super) fn new() -> Self {
        let patterns: Vec<&str> = SIGNATURES.iter().map(|(_, _, pattern)| *pattern).collect();
        Self { all: built(&patterns), orders: std::cell::OnceCell::new() }
    }

    /// Whether a text, in lower case, gives orders to a model that reads it.
    pub(super) fn orders(&self, text: &[u8]) -> bool {
        let orders = self.orders.get_or_init(|| built(ORDERS));
        orders.as_ref().is_some_and(|orders| orders.is_match(Input::new(text)))
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

/// Patterns as one, on bytes.
fn built(patterns: &[&str]) -> Option<Regex> {
    let bytes = syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true);
    let config = Regex::config()
        .utf8_empty(false)
        .match_kind(regex_automata::MatchKind::All)
        .nfa_size_limit(Some(16 << 20));
    Regex::builder().syntax(bytes).configure(config).build_many(patterns).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        assert!(Signatures::new().all.is_some() && built(ORDERS).is_some());
    }
}
