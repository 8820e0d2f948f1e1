//! What interpreters write when a value broke their grammar, and what only a value that worked brings to light.

use super::AttemptKind;

/// What databases write.
const SQL_ERRORS: &[&[u8]] = &[
    b"You have an error in your SQL syntax",
    b"SQLSTATE[",
    b"OperationalError",
    b"SQLITE_ERROR",
    b"unrecognized token:",
    b"syntax error at or near",
    b"unterminated quoted string",
    b"Unclosed quotation mark",
    b"Incorrect syntax near",
    b"quoted string not properly terminated",
    b"ORA-00",
    b"ORA-01",
    b"PG::SyntaxError",
    b"PSQLException",
    b"psycopg2.errors",
    b"com.mysql.",
    b"System.Data.SqlClient",
    b"SqlException",
    b"JdbcSQL",
    b"SQL syntax",
];
const NOSQL_ERRORS: &[&[u8]] =
    &[b"MongoError", b"MongoServerError", b"BadValue", b"CastError", b"unknown operator: $"];
const COMMAND_ERRORS: &[&[u8]] =
    &[b"sh: 1: ", b"bash: line", b": command not found", b"is not recognized as an internal or external"];
const FILE_ERRORS: &[&[u8]] =
    &[b"failed to open stream", b"No such file or directory", b"FileNotFoundException", b"ENOENT", b"EISDIR"];
const TEMPLATE_ERRORS: &[&[u8]] = &[
    b"TemplateSyntaxError",
    b"jinja2.exceptions",
    b"freemarker.core",
    b"org.thymeleaf",
    b"Twig\\Error",
    b"SpelEvaluationException",
];
const DIRECTORY_ERRORS: &[&[u8]] = &[
    b"javax.naming",
    b"LDAPException",
    b"ldap.FILTER_ERROR",
    b"Bad search filter",
    b"Invalid filter",
    b"Unbalanced parenthesis",
];
const DOCUMENT_ERRORS: &[&[u8]] =
    &[b"SAXParseException", b"XMLSyntaxError", b"XMLStreamException", b"lxml.etree"];
const OBJECT_ERRORS: &[&[u8]] = &[
    b"pickle data was truncated",
    b"UnpicklingError",
    b"InvalidClassException",
    b"StreamCorruptedException",
    b"ClassNotFoundException",
    b"SerializationException",
    b"unserialize():",
];
const CODE_ERRORS: &[&[u8]] = &[b"SyntaxError: ", b"NameError: name", b"ReferenceError: ", b"eval()'d code"];

/// The messages of what a kind of attempt is read by.
pub(super) const fn errors(kind: AttemptKind) -> &'static [&'static [u8]] {
    match kind {
        AttemptKind::Sql => SQL_ERRORS,
        AttemptKind::NoSql => NOSQL_ERRORS,
        AttemptKind::Command => COMMAND_ERRORS,
        AttemptKind::Path => FILE_ERRORS,
        AttemptKind::Template => TEMPLATE_ERRORS,
        AttemptKind::Ldap => DIRECTORY_ERRORS,
        AttemptKind::Entity => DOCUMENT_ERRORS,
        AttemptKind::Object => OBJECT_ERRORS,
        AttemptKind::Code => CODE_ERRORS,
        AttemptKind::Script
        | AttemptKind::Line
        | AttemptKind::Fetch
        | AttemptKind::Lookup
        | AttemptKind::Prompt => &[],
    }
}

/// What a file of the system or the output of a command has in it.
const OUTPUTS: &[&[u8]] = &[
    b"root:x:0:0:",
    b"root:*:0:0:",
    b"daemon:x:1:1:",
    b"[boot loader]",
    b"; for 16-bit app support",
    b"Linux version ",
    b"PID TTY ",
    b"Volume Serial Number",
    b"PATH=/",
    b"127.0.0.1\tlocalhost",
    b"-----BEGIN OPENSSH PRIVATE KEY-----",
];
/// What tells a machine its credentials, and what answers inside.
const INSIDE: &[&[u8]] = &[
    b"AccessKeyId",
    b"SecretAccessKey",
    b"ami-id",
    b"instance-id",
    b"security-credentials",
    b"computeMetadata",
    b"redis_version:",
    b"You Know, for Search",
];
/// What databases tell of themselves.
const DATABASE: &[&[u8]] = &[
    b"CREATE TABLE ",
    b"sqlite_autoindex_",
    b"PostgreSQL 1",
    b"-MariaDB",
    b"Microsoft SQL Server 20",
    b"XPATH syntax error: '",
];

/// What only success of a kind of attempt brings to light. Whoever looks has to see that the request does not say it.
pub(super) const fn proofs(kind: AttemptKind) -> [&'static [&'static [u8]]; 2] {
    match kind {
        AttemptKind::Path
        | AttemptKind::Command
        | AttemptKind::Entity
        | AttemptKind::Code
        | AttemptKind::Object
        | AttemptKind::Template => [OUTPUTS, &[]],
        AttemptKind::Fetch => [INSIDE, OUTPUTS],
        AttemptKind::Sql => [DATABASE, OUTPUTS],
        AttemptKind::NoSql
        | AttemptKind::Script
        | AttemptKind::Ldap
        | AttemptKind::Lookup
        | AttemptKind::Line
        | AttemptKind::Prompt => [&[], &[]],
    }
}
