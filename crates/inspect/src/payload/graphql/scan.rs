//! Reads a GraphQL document as it comes (GraphQL, October 2021, sections 2.1 to 2.12): tokens, and of the grammar what
//! tells operations, fields and depth. Depth is counted, not recursed into; values are passed over.

use super::document::{
    Defined, Document, Fragment, MAX_FRAGMENTS, MAX_NAME, MAX_NAMES, MAX_OPERATIONS, MAX_ROOT_FIELDS,
    MAX_VARIABLES,
};
use crate::style::Name;

/// Where in a token the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Lexer {
    #[default]
    Between,
    Name,
    Number,
    Comment,
    Dots(u8),
    /// Quotes read of an opening.
    Quotes(u8),
    Text,
    TextEscape,
    /// Inside `"""`: quotes read in a row.
    Block(u8),
    BlockEscape,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Grammar {
    #[default]
    Definition,
    /// Behind `query`, its name, or a directive: up to the selection.
    Head,
    /// The same for a fragment.
    FragmentHead,
    Variables,
    VariableName,
    VariableType,
    /// A variable's default or directive.
    VariableRest,
    Selection,
    /// Behind `...`.
    Spread,
    /// Behind `... on`.
    TypeCondition,
    Broken,
}

enum Token<'a> {
    Name(&'a [u8]),
    Mark(u8),
    Spread,
    Value,
}

/// The reader. Reusable through [`Scanner::clear`].
#[derive(Default)]
pub(crate) struct Scanner {
    lexer: Lexer,
    grammar: Grammar,
    text: Vec<u8>,
    document: Document,
    /// Selections, and brackets of arguments, that are open.
    depth: u32,
    brackets: u32,
    /// A name behind `@` is a directive's.
    at: bool,
    /// A field's name or its alias: the next token tells.
    held: Vec<u8>,
    holds: bool,
    /// The name is behind an alias.
    aliased: bool,
    in_operation: bool,
    /// The fragment that is open is kept.
    in_fragment: bool,
    /// A spread that names no fragment: the selection that follows stands where it does.
    inlines: bool,
    /// The open selections that stand where the outermost does: it, and inline fragments right inside one another.
    outermost: u32,
    /// The variable whose type is read is kept.
    in_variable: bool,
    /// The operation has its name, or a directive: brackets behind one are its arguments.
    named: bool,
    directed: bool,
}

impl Scanner {
    pub(crate) fn clear(&mut self) {
        let (text, held) = (std::mem::take(&mut self.text), std::mem::take(&mut self.held));
        *self = Self { text, held, ..Self::default() };
        self.text.clear();
        self.held.clear();
    }

    /// Takes the next bytes of the document.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.grammar == Grammar::Broken {
                return;
            }
            self.byte(byte);
        }
    }

    /// Whether an operation or a fragment began, so that what is broken was meant as a document.
    pub(crate) const fn began(&self) -> bool {
        !self.document.operations.is_empty() || self.document.fragments > 0
    }

    /// Bytes that the open document holds at most.
    pub(crate) const fn held(&self) -> usize {
        self.document.held() + self.text.capacity() + self.held.capacity()
    }

    /// The document, when it was one with an operation.
    pub(crate) fn finish(&mut self) -> Option<Document> {
        match self.lexer {
            Lexer::Between | Lexer::Comment | Lexer::Name | Lexer::Number | Lexer::Quotes(2) => {
                self.token_ended()
            }
            _ => self.grammar = Grammar::Broken,
        }
        let mut document = std::mem::take(&mut self.document);
        document.resolve();
        let whole = self.grammar == Grammar::Definition && self.depth == 0 && self.brackets == 0;
        let read = whole && !document.operations.is_empty() && document.fields > 0;
        self.clear();
        read.then_some(document)
    }

    fn byte(&mut self, byte: u8) {
        match (self.lexer, byte) {
            (Lexer::Name, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_') => {
                if self.text.len() < MAX_NAME {
                    self.text.push(byte);
                }
            }
            (Lexer::Number, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') => {}
            (Lexer::Comment, b'\n' | b'\r') => self.lexer = Lexer::Between,
            (Lexer::Comment, _) => {}
            (Lexer::Dots(2), b'.') => {
                self.lexer = Lexer::Between;
                self.token(Token::Spread);
            }
            (Lexer::Dots(dots), b'.') => self.lexer = Lexer::Dots(dots + 1),
            (Lexer::Dots(_), _) => self.grammar = Grammar::Broken,
            (Lexer::Quotes(1), b'"') => self.lexer = Lexer::Quotes(2),
            (Lexer::Quotes(2), b'"') => self.lexer = Lexer::Block(0),
            (Lexer::Quotes(1) | Lexer::Text, _) => self.string(byte),
            (Lexer::TextEscape, _) => self.lexer = Lexer::Text,
            (Lexer::Block(_) | Lexer::BlockEscape, _) => self.block(byte),
            (Lexer::Between, _) => self.begin(byte),
            (Lexer::Name | Lexer::Number | Lexer::Quotes(_), _) => {
                self.token_ended();
                self.begin(byte);
            }
        }
    }

    fn string(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.lexer = Lexer::Between;
                self.token(Token::Value);
            }
            b'\\' => self.lexer = Lexer::TextEscape,
            b'\n' | b'\r' => self.grammar = Grammar::Broken,
            _ => self.lexer = Lexer::Text,
        }
    }

    /// Inside a block string, where only `\"""` is an escape.
    fn block(&mut self, byte: u8) {
        self.lexer = match (self.lexer, byte) {
            (Lexer::Block(2), b'"') => {
                self.token(Token::Value);
                Lexer::Between
            }
            (Lexer::Block(quotes), b'"') => Lexer::Block(quotes + 1),
            (_, b'\\') => Lexer::BlockEscape,
            _ => Lexer::Block(0),
        };
    }

    fn begin(&mut self, byte: u8) {
        self.lexer = Lexer::Between;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | 0xef | 0xbb | 0xbf => {}
            b'#' => self.lexer = Lexer::Comment,
            b'.' => self.lexer = Lexer::Dots(1),
            b'"' => self.lexer = Lexer::Quotes(1),
            b'-' | b'0'..=b'9' => self.lexer = Lexer::Number,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.text.clear();
                self.text.push(byte);
                self.lexer = Lexer::Name;
            }
            b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|' | b'}' => {
                self.token(Token::Mark(byte));
            }
            _ => self.grammar = Grammar::Broken,
        }
    }

    /// Ends a token that only what follows it ends.
    fn token_ended(&mut self) {
        match std::mem::take(&mut self.lexer) {
            Lexer::Name => {
                let text = std::mem::take(&mut self.text);
                self.token(Token::Name(&text));
                self.text = text;
            }
            Lexer::Number | Lexer::Quotes(_) => self.token(Token::Value),
            _ => {}
        }
    }

    fn token(&mut self, token: Token<'_>) {
        if self.brackets > 0 && self.in_arguments() {
            return self.argument(&token);
        }
        match (self.grammar, token) {
            (Grammar::Definition, Token::Name(name)) => self.definition(name),
            (Grammar::Definition, Token::Mark(b'{')) => {
                self.operation("query");
                self.select();
            }
            (_, Token::Mark(b'@')) => {
                self.commit();
                self.at = true;
                if self.grammar == Grammar::VariableType {
                    self.grammar = Grammar::VariableRest;
                }
            }
            (_, Token::Name(_)) if self.at => {
                (self.at, self.directed) = (false, true);
                self.document.directives = self.document.directives.saturating_add(1);
            }
            (
                Grammar::VariableName | Grammar::VariableType | Grammar::VariableRest | Grammar::Variables,
                token,
            ) => {
                self.variables(&token);
            }
            (Grammar::Head, Token::Name(name)) if !self.named => self.name_operation(name),
            (Grammar::Head, Token::Mark(b'(')) if !self.directed => {
                self.brackets = 1;
                self.grammar = Grammar::Variables;
            }
            (Grammar::FragmentHead, Token::Name(name)) => self.name_fragment(name),
            (Grammar::Head | Grammar::FragmentHead, Token::Mark(b'{')) => self.select(),
            (
                Grammar::Head | Grammar::FragmentHead | Grammar::Selection | Grammar::Spread,
                Token::Mark(b'('),
            ) => {
                self.commit();
                self.brackets = 1;
            }
            (Grammar::Selection | Grammar::Spread | Grammar::TypeCondition, token) => self.selection(&token),
            _ => self.grammar = Grammar::Broken,
        }
    }

    /// Whether open brackets are those of arguments, not those of variable definitions.
    const fn in_arguments(&self) -> bool {
        !matches!(
            self.grammar,
            Grammar::Variables | Grammar::VariableName | Grammar::VariableType | Grammar::VariableRest
        )
    }

    fn argument(&mut self, token: &Token<'_>) {
        match token {
            Token::Mark(b'(' | b'[' | b'{') => self.brackets = self.brackets.saturating_add(1),
            Token::Mark(b')' | b']' | b'}') => self.brackets -= 1,
            Token::Spread => self.grammar = Grammar::Broken,
            _ => {}
        }
    }

    fn definition(&mut self, name: &[u8]) {
        (self.named, self.directed) = (false, false);
        match name {
            b"query" => self.operation("query"),
            b"mutation" => self.operation("mutation"),
            b"subscription" => self.operation("subscription"),
            b"fragment" => {
                self.in_operation = false;
                self.in_fragment = self.document.kept.len() < MAX_FRAGMENTS;
                if self.in_fragment {
                    self.document.kept.push(Fragment::default());
                }
                self.document.fragments = self.document.fragments.saturating_add(1);
                self.grammar = Grammar::FragmentHead;
            }
            _ => self.grammar = Grammar::Broken,
        }
    }

    fn operation(&mut self, kind: &'static str) {
        self.in_fragment = false;
        self.in_operation = self.document.operations.len() < MAX_OPERATIONS;
        self.document.more |= !self.in_operation;
        if self.in_operation {
            self.document.operations.push(Defined { kind, ..Defined::default() });
        }
        self.grammar = Grammar::Head;
    }

    /// The first name is the fragment's, the others say of what it is one.
    fn name_fragment(&mut self, name: &[u8]) {
        if !self.document.has_room() {
            return;
        }
        if let Some(fragment) = self.document.kept.last_mut().filter(|_| self.in_fragment) {
            fragment.name.get_or_insert_with(|| Name::new(name));
        }
    }

    fn name_operation(&mut self, name: &[u8]) {
        self.named = true;
        if !self.document.has_room() {
            return;
        }
        if let Some(operation) = self.document.operations.last_mut().filter(|_| self.in_operation) {
            operation.name = Some(Name::new(name));
        }
    }

    fn variables(&mut self, token: &Token<'_>) {
        let in_type = self.grammar == Grammar::VariableType;
        match token {
            Token::Mark(b'$') if self.brackets == 1 => self.grammar = Grammar::VariableName,
            Token::Name(name) if self.grammar == Grammar::VariableName => {
                self.held.clear();
                self.held.extend_from_slice(name);
                self.grammar = Grammar::VariableRest;
            }
            Token::Mark(b':') if self.brackets == 1 && !self.held.is_empty() => {
                self.variable();
                self.grammar = Grammar::VariableType;
            }
            Token::Name(name) if in_type => self.add_type(name),
            Token::Mark(mark @ (b'[' | b']' | b'!')) if in_type => self.add_type(&[*mark]),
            Token::Mark(b'=') => self.grammar = Grammar::VariableRest,
            Token::Mark(b'(' | b'[' | b'{') => self.brackets = self.brackets.saturating_add(1),
            Token::Mark(b')' | b']' | b'}') => {
                self.brackets -= 1;
                if self.brackets == 0 {
                    self.held.clear();
                    self.grammar = Grammar::Head;
                }
            }
            Token::Spread => self.grammar = Grammar::Broken,
            _ => {}
        }
    }

    fn variable(&mut self) {
        let name = Name::new(&self.held);
        self.held.clear();
        self.in_variable = false;
        let full = |one: &Defined| one.variables.len() >= MAX_VARIABLES;
        let is_full = self.document.operations.last().is_some_and(full);
        self.document.more |= is_full;
        // Its name and its type.
        if !self.in_operation || is_full || !self.document.has_room() || !self.document.has_room() {
            return;
        }
        if let Some(operation) = self.document.operations.last_mut() {
            operation.variables.push((name, Name::default()));
            self.in_variable = true;
        }
    }

    fn add_type(&mut self, text: &[u8]) {
        let operation = self.document.operations.last_mut().filter(|_| self.in_variable);
        if let Some((_, kind)) = operation.and_then(|operation| operation.variables.last_mut()) {
            *kind = Name::new(&[kind.as_str().as_bytes(), text].concat());
        }
    }

    fn select(&mut self) {
        self.commit();
        let stays = std::mem::take(&mut self.inlines) && self.is_outermost();
        self.outermost += u32::from(self.depth == 0 || stays);
        self.depth = self.depth.saturating_add(1);
        self.document.depth = self.document.depth.max(self.depth);
        self.grammar = Grammar::Selection;
    }

    fn selection(&mut self, token: &Token<'_>) {
        match (self.grammar, token) {
            (Grammar::Selection, Token::Mark(b':')) if self.holds && !self.aliased => {
                self.document.aliases = self.document.aliases.saturating_add(1);
                (self.holds, self.aliased) = (false, true);
            }
            (Grammar::Selection, Token::Name(name)) => self.field(name),
            (Grammar::Selection, Token::Spread) => {
                self.commit();
                (self.grammar, self.inlines) = (Grammar::Spread, true);
            }
            (Grammar::Selection | Grammar::Spread, Token::Mark(b'{')) => self.select(),
            (Grammar::Selection, Token::Mark(b'}')) => {
                self.commit();
                self.depth -= 1;
                self.outermost = self.outermost.min(self.depth);
                self.grammar = if self.depth == 0 { Grammar::Definition } else { Grammar::Selection };
            }
            (Grammar::Spread, Token::Name(b"on")) => self.grammar = Grammar::TypeCondition,
            (Grammar::Spread, Token::Name(name)) => {
                (self.grammar, self.inlines) = (Grammar::Selection, false);
                if self.is_outermost() {
                    self.keep(name, false);
                }
            }
            (Grammar::TypeCondition, Token::Name(_)) => self.grammar = Grammar::Selection,
            _ => self.grammar = Grammar::Broken,
        }
    }

    /// Whether what stands here is part of the outermost selection: only inline fragments are around it.
    const fn is_outermost(&self) -> bool {
        self.depth > 0 && self.outermost == self.depth
    }

    /// Keeps a name of the outermost selection: a field of it, or a fragment that is spread there.
    fn keep(&mut self, name: &[u8], fields: bool) {
        let operation = self.document.operations.last_mut().filter(|_| self.in_operation);
        let fragment = self.document.kept.last_mut().filter(|_| self.in_fragment);
        let names = match (operation, fragment, fields) {
            (Some(one), _, true) => &mut one.root_fields,
            (Some(one), _, false) => &mut one.spreads,
            (None, Some(one), true) => &mut one.fields,
            (None, Some(one), false) => &mut one.spreads,
            (None, None, _) => return,
        };
        let most = if fields { MAX_ROOT_FIELDS } else { MAX_FRAGMENTS };
        if names.iter().any(|known| known.as_str().as_bytes() == name) {
            return;
        }
        if names.len() >= most || self.document.names >= MAX_NAMES {
            self.document.more = true;
            return;
        }
        names.push(Name::new(name));
        self.document.names += 1;
    }

    fn field(&mut self, name: &[u8]) {
        self.inlines = false;
        let aliased = std::mem::take(&mut self.aliased);
        self.commit();
        self.held.clear();
        self.held.extend_from_slice(name);
        self.holds = true;
        if aliased {
            self.commit();
        }
    }

    /// Counts the field whose name was held.
    fn commit(&mut self) {
        if !std::mem::take(&mut self.holds) {
            return;
        }
        self.document.fields = self.document.fields.saturating_add(1);
        self.document.introspection |= matches!(self.held.as_slice(), b"__schema" | b"__type");
        if self.is_outermost() {
            let held = std::mem::take(&mut self.held);
            self.keep(&held, true);
            self.held = held;
        }
        self.held.clear();
    }
}
