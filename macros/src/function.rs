//! An `async fn`, taken apart: what stands before `async`, the rest of the signature, the body.
//!
//! ```text
//!   #[x] pub  async  fn  name  <T>  (a: A)  -> Ret  where T: X  { … }
//!   ╰──────╯  ╰───╯  ╰─────────────────────────╯ ╰───────────╯  ╰───╯
//!    before   gone              signature, with `returns` = Ret  body
//! ```
//!
//! No grammar is needed for that: the body is the last token, the arguments are the first
//! parenthesis after the name and its `<…>`, the result stands between `->` and `where`.
//! Everything is passed on as it came; what is wrong with it, rustc says at the right place.
//! Read next: `expand.rs`.

#![forbid(unsafe_code)]

use proc_macro::{Delimiter, Group, Ident, Punct, Span, TokenStream, TokenTree};

use crate::error::Error;

/// The parts of an `async fn`.
pub(crate) struct Function {
    /// The attributes on it, one `#[…]` after the other, without those inside of the body.
    pub(crate) attributes: Vec<Group>,
    /// Visibility and qualifiers (`pub`, `unsafe`), without `async`.
    pub(crate) before: Vec<TokenTree>,
    /// From `fn` up to the body.
    pub(crate) signature: Vec<TokenTree>,
    /// Its name.
    pub(crate) name: Ident,
    /// The parenthesis with its arguments.
    pub(crate) arguments: Group,
    /// The type behind `->`; none means `()`.
    pub(crate) returns: Vec<TokenTree>,
    /// What stands between the braces.
    pub(crate) body: Vec<TokenTree>,
    /// The place of the body's last statement: where an error about its value is shown.
    pub(crate) last_statement: Span,
}

/// Takes `item` apart.
pub(crate) fn parse(item: TokenStream) -> Result<Function, Error> {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let body = match tokens.pop().map(braces) {
        Some(Some(body)) => body,
        _ => {
            return Err(Error::new(
                Span::call_site(),
                "this attribute is for an `async fn`",
            ));
        }
    };
    let mut tokens = tokens.into_iter().peekable();
    let mut attributes = Vec::new();
    while tokens.next_if(|token| is_punct(token, '#')).is_some() {
        if let Some(TokenTree::Group(attribute)) = tokens.next() {
            attributes.push(attribute);
        }
    }

    let mut before = Vec::new();
    let mut is_async = false;
    let keyword = loop {
        match tokens.next() {
            Some(token) if is_word(&token, "async") => is_async = true,
            Some(token) if is_word(&token, "fn") => break token,
            Some(token) => before.push(token),
            None => {
                return Err(Error::new(
                    Span::call_site(),
                    "this attribute is for an `async fn`",
                ));
            }
        }
    };
    if !is_async {
        let text = "`async` is missing; write `async fn`, or remove the attribute";
        return Err(Error::new(keyword.span(), text));
    }

    let after: Vec<TokenTree> = tokens.collect();
    let Some(TokenTree::Ident(name)) = after.first().cloned() else {
        return Err(Error::new(keyword.span(), "the function has no name"));
    };
    let Some(position) = arguments_at(&after) else {
        return Err(Error::new(name.span(), "the function has no argument list"));
    };
    let TokenTree::Group(arguments) = after[position].clone() else {
        return Err(Error::new(name.span(), "the function has no argument list"));
    };
    let returns = match &after[position + 1..] {
        [dash, head, rest @ ..] if is_punct(dash, '-') && is_punct(head, '>') => {
            let end = rest.iter().position(|token| is_word(token, "where"));
            rest[..end.unwrap_or(rest.len())].to_vec()
        }
        _ => Vec::new(),
    };
    let signature = std::iter::once(keyword).chain(after).collect();

    let last_statement = last_statement(&body);
    let mut body: Vec<TokenTree> = body.stream().into_iter().collect();
    take_inner_attributes(&mut body, &mut attributes);
    Ok(Function {
        attributes,
        before,
        signature,
        name,
        arguments,
        returns,
        body,
        last_statement,
    })
}

/// The braces that `token` is, or that it wraps (a `$body:block` of `macro_rules`).
fn braces(token: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => {
            let mut inner = group.stream().into_iter();
            let only = inner.next()?;
            if inner.next().is_some() {
                None
            } else {
                braces(only)
            }
        }
        _ => None,
    }
}

/// Where in the tokens behind `fn` the argument list is: behind the name and `<…>`.
fn arguments_at(tokens: &[TokenTree]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut after_dash = false;
    for (position, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group)
                if depth == 0 && group.delimiter() == Delimiter::Parenthesis =>
            {
                return Some(position);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                '<' => depth += 1,
                // The arrow of `F: Fn() -> T` closes nothing.
                '>' if !after_dash => depth = depth.saturating_sub(1),
                _ => {}
            },
            _ => {}
        }
        after_dash = is_punct(token, '-');
    }
    None
}

/// The first token of the last statement, or the braces when there is none.
///
/// The first only: joining it with the last is not stable (`proc_macro_span`).
fn last_statement(body: &Group) -> Span {
    let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    let Some((_, before)) = tokens.split_last() else {
        return body.span();
    };
    let start = before
        .iter()
        .rposition(|token| is_punct(token, ';'))
        .map_or(0, |at| at + 1);
    tokens[start].span()
}

/// Moves the `#![…]` at the head of the body to the attributes of the function, where they mean
/// the same: inside, something will be put in front of them.
fn take_inner_attributes(body: &mut Vec<TokenTree>, attributes: &mut Vec<Group>) {
    while let [hash, bang, TokenTree::Group(attribute), ..] = body.as_slice()
        && is_punct(hash, '#')
        && is_punct(bang, '!')
    {
        attributes.push(attribute.clone());
        body.drain(..3);
    }
}

/// True for this one character.
fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if Punct::as_char(punct) == character)
}

/// True for this word.
fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}
