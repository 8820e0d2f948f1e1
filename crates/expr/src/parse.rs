//! Lexemes to an expression, by recursive descent.

use crate::expr::{Node, Order, Test};
use crate::lex::{Lexeme, Placed, lex};
use crate::literal::{self, Literal};
use crate::pattern::Pattern;
use crate::{Expr, FieldId, FieldNames, Kind, ParseError, nearest};

/// Longest expression, in bytes.
const LONGEST: usize = 16 << 10;
/// Deepest nesting of parentheses and `not`: the parser and the evaluation recurse.
const DEEPEST: usize = 64;
/// Most items of a list.
const MOST_ITEMS: usize = 1024;

/// Operators that are words.
const WORDS: &[&str] = &["in", "not", "contains", "starts_with", "ends_with"];

/// Reads an expression over the fields that `fields` knows.
///
/// # Errors
/// The first place where the text is no expression, names no field, or compares a field with what it cannot hold.
pub fn parse(text: &str, fields: &dyn FieldNames) -> Result<Expr, ParseError> {
    if text.len() > LONGEST {
        return Err(ParseError::new(LONGEST, format!("an expression is at most {LONGEST} bytes long")));
    }
    let lexemes = lex(text)?;
    let mut parser = Parser { lexemes: &lexemes, fields };
    let root = parser.any(0)?;
    match parser.peek() {
        Some(Placed { at, lexeme }) if *lexeme != Lexeme::End => {
            Err(ParseError::new(*at, "expected 'and', 'or' or the end"))
        }
        _ => Ok(Expr { root }),
    }
}

struct Parser<'p> {
    lexemes: &'p [Placed],
    fields: &'p dyn FieldNames,
}

impl<'p> Parser<'p> {
    fn peek(&self) -> Option<&'p Placed> {
        self.lexemes.first()
    }

    fn at(&self) -> usize {
        self.peek().map_or(0, |placed| placed.at)
    }

    fn advance(&mut self) {
        self.lexemes = self.lexemes.get(1..).unwrap_or_default();
    }

    fn takes_sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Placed { lexeme: Lexeme::Sign(sign), .. }) if *sign == wanted);
        if found {
            self.advance();
        }
        found
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Placed { lexeme: Lexeme::Word(word), .. }) if word.eq_ignore_ascii_case(wanted));
        if found {
            self.advance();
        }
        found
    }

    fn any(&mut self, depth: usize) -> Result<Node, ParseError> {
        let mut nodes = vec![self.all(depth)?];
        while self.takes_word("or") {
            nodes.push(self.all(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self, depth: usize) -> Result<Node, ParseError> {
        let mut nodes = vec![self.one(depth)?];
        while self.takes_word("and") {
            nodes.push(self.one(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn one(&mut self, depth: usize) -> Result<Node, ParseError> {
        if depth > DEEPEST {
            return Err(ParseError::new(self.at(), format!("nested deeper than {DEEPEST}")));
        }
        if self.takes_word("not") {
            return Ok(Node::Not(Box::new(self.one(depth + 1)?)));
        }
        if !self.takes_sign("(") {
            return self.test();
        }
        let inner = self.any(depth + 1)?;
        if self.takes_sign(")") { Ok(inner) } else { Err(ParseError::new(self.at(), "expected ')'")) }
    }

    fn test(&mut self) -> Result<Node, ParseError> {
        let (field, kind) = self.field()?;
        let at = self.at();
        match self.peek().map(|placed| &placed.lexeme) {
            Some(Lexeme::Sign(sign @ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"))) => {
                self.advance();
                self.compared(field, kind, sign, at)
            }
            Some(Lexeme::Word(word)) if WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) => {
                self.advance();
                self.related(field, kind, &word.to_ascii_lowercase(), at)
            }
            _ => Ok(Node::Known(field)),
        }
    }

    fn field(&mut self) -> Result<(FieldId, Kind), ParseError> {
        let at = self.at();
        let Some(Placed { lexeme: Lexeme::Word(name), .. }) = self.peek() else {
            return Err(ParseError::new(at, "expected a field"));
        };
        let found = self.fields.find(name).ok_or_else(|| {
            ParseError::new(at, format!("no field is named '{name}'"))
                .hint(nearest(name, &self.fields.names()))
        })?;
        self.advance();
        Ok(found)
    }

    /// After an operator of signs.
    fn compared(&mut self, field: FieldId, kind: Kind, sign: &str, at: usize) -> Result<Node, ParseError> {
        let order = match sign {
            "~" | "!~" => return Ok(negated(sign == "!~", Node::Test(field, self.pattern(kind, at)?))),
            "==" | "!=" => {
                let test = Test::Among(vec![self.literal(kind)?]);
                return Ok(negated(sign == "!=", Node::Test(field, test)));
            }
            "<" => Order::Below,
            "<=" => Order::AtMost,
            ">" => Order::Above,
            _ => Order::AtLeast,
        };
        match self.literal(kind)? {
            Literal::Number(number) => Ok(Node::Test(field, Test::Ordered(order, number))),
            _ => Err(unfit(at, sign, kind)),
        }
    }

    /// After an operator that is a word.
    fn related(&mut self, field: FieldId, kind: Kind, word: &str, at: usize) -> Result<Node, ParseError> {
        match word {
            "not" if self.takes_word("in") => {
                Ok(negated(true, Node::Test(field, Test::Among(self.list(kind)?))))
            }
            "not" => Err(ParseError::new(self.at(), "expected 'in'")),
            "in" => Ok(Node::Test(field, Test::Among(self.list(kind)?))),
            _ if !matches!(kind, Kind::Text | Kind::List) => Err(unfit(at, word, kind)),
            // A list contains its items; a text contains its parts.
            "contains" if kind == Kind::List => Ok(Node::Test(field, Test::Among(vec![self.literal(kind)?]))),
            "contains" => Ok(Node::Test(field, Test::Contains(self.text()?))),
            "starts_with" => Ok(Node::Test(field, Test::StartsWith(self.text()?))),
            _ => Ok(Node::Test(field, Test::EndsWith(self.text()?))),
        }
    }

    fn pattern(&mut self, kind: Kind, at: usize) -> Result<Test, ParseError> {
        if !matches!(kind, Kind::Text | Kind::List) {
            return Err(unfit(at, "~", kind));
        }
        let at = self.at();
        let text = self.unread()?.0;
        Pattern::new(&text).map(Test::Matches).map_err(|reason| ParseError::new(at, reason))
    }

    fn text(&mut self) -> Result<Vec<u8>, ParseError> {
        Ok(self.unread()?.0.into_bytes())
    }

    /// `[a, b]`, or a single literal.
    fn list(&mut self, kind: Kind) -> Result<Vec<Literal>, ParseError> {
        if !self.takes_sign("[") {
            return Ok(vec![self.literal(kind)?]);
        }
        let mut items = Vec::new();
        while !self.takes_sign("]") {
            if !items.is_empty() && !self.takes_sign(",") {
                return Err(ParseError::new(self.at(), "expected ',' or ']'"));
            }
            if items.len() == MOST_ITEMS {
                return Err(ParseError::new(self.at(), format!("a list has at most {MOST_ITEMS} items")));
            }
            items.push(self.literal(kind)?);
        }
        Ok(items)
    }

    fn literal(&mut self, kind: Kind) -> Result<Literal, ParseError> {
        let at = self.at();
        let (text, quoted) = self.unread()?;
        literal::read(&text, quoted, kind).map_err(|reason| ParseError::new(at, reason))
    }

    /// The text of a literal, and whether it was quoted.
    fn unread(&mut self) -> Result<(String, bool), ParseError> {
        let found = match self.peek().map(|placed| &placed.lexeme) {
            Some(Lexeme::Word(word)) => (word.clone(), false),
            Some(Lexeme::Quoted(text)) => (text.clone(), true),
            _ => return Err(ParseError::new(self.at(), "expected a value")),
        };
        self.advance();
        Ok(found)
    }
}

fn negated(negate: bool, node: Node) -> Node {
    if negate { Node::Not(Box::new(node)) } else { node }
}

fn unfit(at: usize, operator: &str, kind: Kind) -> ParseError {
    ParseError::new(at, format!("'{operator}' does not fit a field that holds a {}", kind.name()))
}
