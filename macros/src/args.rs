//! The arguments of an attribute: `flavor = "local", start_paused = true`.
//!
//! Each error is reported at the key (that is where the eye goes) and names the fix.
//! What fits together (`worker_threads` needs several threads, `start_paused` needs one) is
//! checked here too, at compile time, although the builder would refuse it as well: a test that
//! is never run would otherwise never tell.
//! Read next: `function.rs`.

#![forbid(unsafe_code)]

use std::str::FromStr;

use proc_macro::{Delimiter, Ident, Literal, Spacing, Span, TokenStream, TokenTree};

use crate::error::Error;
use crate::expand::Attribute;

/// The keys there are, for the message about one that is not.
const KEYS: &str = "`flavor`, `worker_threads`, `start_paused`, `name`, `crate`";

/// Which runtime runs the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Everything on the calling thread.
    CurrentThread,
    /// The same, for tasks that are not `Send` (`LocalRuntime`).
    Local,
    /// Worker threads that steal from each other.
    MultiThread,
}

/// The arguments, checked.
#[derive(Debug)]
pub(crate) struct Args {
    /// Which runtime.
    pub(crate) flavor: Flavor,
    /// The number of workers, if given.
    pub(crate) worker_threads: Option<Literal>,
    /// `true` or `false`, if given.
    pub(crate) start_paused: Option<Ident>,
    /// The runtime's name, if given.
    pub(crate) name: Option<Literal>,
    /// The path of the crate with the runtime, if given.
    pub(crate) root: Option<TokenStream>,
}

/// One `key = value`.
struct Argument {
    key: Ident,
    value: TokenTree,
}

/// Reads the text between the attribute's brackets.
pub(crate) fn parse(attribute: Attribute, tokens: TokenStream) -> Result<Args, Error> {
    let arguments = split(tokens)?;
    for (position, argument) in arguments.iter().enumerate() {
        let key = argument.key.to_string();
        if arguments[..position]
            .iter()
            .any(|earlier| earlier.key.to_string() == key)
        {
            return Err(at(
                &argument.key,
                format!("`{key}` is given twice; remove one of them"),
            ));
        }
    }

    let mut args = Args {
        flavor: attribute.default_flavor(),
        worker_threads: None,
        start_paused: None,
        name: None,
        root: None,
    };
    // The keys, for the checks that need more than one argument.
    let mut workers_key = None;
    let mut paused_key = None;
    for Argument { key, value } in arguments {
        match key.to_string().as_str() {
            "flavor" => args.flavor = flavor(&key, &value)?,
            "worker_threads" => {
                args.worker_threads = Some(count(&key, &value)?);
                workers_key = Some(key);
            }
            "start_paused" => {
                args.start_paused = Some(boolean(&key, &value)?);
                paused_key = Some(key);
            }
            "name" => args.name = Some(string(&key, &value)?.0),
            "crate" => args.root = Some(path(&key, &value)?),
            _ => return Err(unknown(&key)),
        }
    }

    if let (Some(key), Flavor::CurrentThread | Flavor::Local) = (&workers_key, args.flavor) {
        let text = "`worker_threads` needs workers; add `flavor = \"multi_thread\"` or remove it";
        return Err(at(key, text));
    }
    if let (Some(key), Flavor::MultiThread) = (&paused_key, args.flavor) {
        let text = "`start_paused` needs a runtime of one thread; \
                    use `flavor = \"current_thread\"` or remove it";
        return Err(at(key, text));
    }
    Ok(args)
}

/// Cuts the tokens into `key = value` at the commas.
fn split(tokens: TokenStream) -> Result<Vec<Argument>, Error> {
    let mut arguments = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(key) = &token else {
            let text = format!("a name was expected here; write `key = value` with one of {KEYS}");
            return Err(Error::new(token.span(), text));
        };
        match tokens.next() {
            Some(TokenTree::Punct(equals))
                if equals.as_char() == '=' && equals.spacing() == Spacing::Alone => {}
            _ => return Err(no_value(key)),
        }
        let value = match tokens.next() {
            None => return Err(no_value(key)),
            Some(TokenTree::Punct(_)) => return Err(wrong_value(key)),
            Some(value) => unwrapped(value),
        };
        match tokens.next() {
            None => {}
            Some(TokenTree::Punct(comma)) if comma.as_char() == ',' => {}
            Some(_) => return Err(wrong_value(key)),
        }
        arguments.push(Argument {
            key: key.clone(),
            value,
        });
    }
    Ok(arguments)
}

/// What a `macro_rules` fragment like `$n:literal` passes on stands in an invisible group.
fn unwrapped(token: TokenTree) -> TokenTree {
    match &token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inner = group.stream().into_iter();
            match (inner.next(), inner.next()) {
                (Some(only), None) => unwrapped(only),
                _ => token,
            }
        }
        _ => token,
    }
}

/// The value of `flavor`.
fn flavor(key: &Ident, value: &TokenTree) -> Result<Flavor, Error> {
    let (_, text) = string(key, value)?;
    match text.as_str() {
        "current_thread" => Ok(Flavor::CurrentThread),
        "local" => Ok(Flavor::Local),
        "multi_thread" => Ok(Flavor::MultiThread),
        unknown => {
            let hint = match unknown {
                "single_thread" | "single_threaded" | "basic_scheduler" => {
                    "the runtime of one thread is called `\"current_thread\"`"
                }
                "threaded_scheduler" | "multi_threaded" => {
                    "the runtime of many threads is called `\"multi_thread\"`"
                }
                _ => "use `\"current_thread\"`, `\"multi_thread\"` or `\"local\"`",
            };
            Err(at(
                key,
                format!("no flavor has the name `{unknown}`; {hint}"),
            ))
        }
    }
}

/// An integer from 1, without its suffix.
fn count(key: &Ident, value: &TokenTree) -> Result<Literal, Error> {
    let TokenTree::Literal(literal) = value else {
        return Err(wrong_value(key));
    };
    let written = literal.to_string().replace('_', "");
    let plain = written.strip_suffix("usize").unwrap_or(&written);
    let number = match plain.get(..2) {
        Some("0x") => usize::from_str_radix(&plain[2..], 16),
        Some("0o") => usize::from_str_radix(&plain[2..], 8),
        Some("0b") => usize::from_str_radix(&plain[2..], 2),
        _ => plain.parse(),
    };
    match number {
        Ok(number @ 1..) => {
            let mut literal = Literal::usize_unsuffixed(number);
            literal.set_span(value.span());
            Ok(literal)
        }
        Ok(0) | Err(_) => Err(wrong_value(key)),
    }
}

/// `true` or `false`.
fn boolean(key: &Ident, value: &TokenTree) -> Result<Ident, Error> {
    match value {
        TokenTree::Ident(word) if matches!(word.to_string().as_str(), "true" | "false") => {
            Ok(word.clone())
        }
        _ => Err(wrong_value(key)),
    }
}

/// A string literal and what stands between its quotes (escapes are left alone: neither a
/// flavour nor a path has any, and the name is passed on as the literal it is).
fn string(key: &Ident, value: &TokenTree) -> Result<(Literal, String), Error> {
    let TokenTree::Literal(literal) = value else {
        return Err(wrong_value(key));
    };
    let written = literal.to_string();
    let bare = match written.strip_prefix('r') {
        Some(raw) => raw.trim_matches('#'),
        None => written.as_str(),
    };
    match bare
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(text) => Ok((literal.clone(), text.to_owned())),
        None => Err(wrong_value(key)),
    }
}

/// A path, as the tokens it consists of.
fn path(key: &Ident, value: &TokenTree) -> Result<TokenStream, Error> {
    let (literal, text) = string(key, value)?;
    let not_a_path = || {
        at(
            key,
            format!("`{text}` is not a path; write `{key} = {}`", example(key)),
        )
    };
    let words = text
        .strip_prefix("::")
        .unwrap_or(&text)
        .split("::")
        .map(str::trim);
    let is_word = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .is_some_and(|first| first == '_' || first.is_alphabetic())
            && letters.all(|letter| letter == '_' || letter.is_alphanumeric())
    };
    if !words.clone().all(is_word) {
        return Err(not_a_path());
    }
    let tokens = TokenStream::from_str(&text).map_err(|_| not_a_path())?;
    // Looked up where the literal stands: the user's own `use` lines count.
    Ok(respanned(tokens, literal.span()))
}

/// The same tokens at another place.
pub(crate) fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            if let TokenTree::Group(group) = &token {
                let inner = respanned(group.stream(), span);
                token = proc_macro::Group::new(group.delimiter(), inner).into();
            }
            token.set_span(span);
            token
        })
        .collect()
}

/// A value that `key` would take.
fn example(key: &Ident) -> &'static str {
    match key.to_string().as_str() {
        "flavor" => "\"current_thread\"",
        "worker_threads" => "4",
        "start_paused" => "true",
        "name" => "\"main\"",
        "crate" => "\"trefoil\"",
        _ => "..",
    }
}

/// The error for a key without a value.
fn no_value(key: &Ident) -> Error {
    if !is_known(key) {
        return unknown(key);
    }
    at(
        key,
        format!("`{key}` has no value; write `{key} = {}`", example(key)),
    )
}

/// The error for a value of the wrong type.
fn wrong_value(key: &Ident) -> Error {
    let kind = match key.to_string().as_str() {
        "flavor" | "name" => "a string literal",
        "crate" => "a path in a string literal",
        "worker_threads" => "an integer literal, at least 1",
        "start_paused" => "`true` or `false`",
        _ => return unknown(key),
    };
    at(
        key,
        format!("`{key}` is {kind}; write `{key} = {}`", example(key)),
    )
}

/// The error for a key that does not exist.
fn unknown(key: &Ident) -> Error {
    let hint = match key.to_string().as_str() {
        "core_threads" => "it is called `worker_threads`".to_owned(),
        "flavour" => "it is spelled `flavor`".to_owned(),
        _ => format!("there are {KEYS}"),
    };
    at(key, format!("no argument has the name `{key}`; {hint}"))
}

/// True for a key that exists.
fn is_known(key: &Ident) -> bool {
    KEYS.contains(&format!("`{key}`"))
}

/// An error at a key.
fn at(key: &Ident, text: impl Into<String>) -> Error {
    Error::new(key.span(), text)
}
