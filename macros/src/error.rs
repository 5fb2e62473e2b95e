//! A compile error with the place it is about.
//!
//! A proc macro reports by expanding to `compile_error!`; the place is the span of its tokens.
//! Read next: `args.rs`, which makes most of them.

#![forbid(unsafe_code)]

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// What is wrong, where, and what to write instead.
#[derive(Debug)]
pub(crate) struct Error {
    /// The tokens to underline.
    span: Span,
    /// The message, with the remedy.
    text: String,
}

impl Error {
    /// An error at `span`.
    pub(crate) fn new(span: Span, text: impl Into<String>) -> Self {
        Self {
            span,
            text: text.into(),
        }
    }

    /// The call of `compile_error!` that shows it.
    pub(crate) fn to_tokens(&self) -> TokenStream {
        let colon = |spacing| TokenTree::from(Punct::new(':', spacing));
        let text = TokenTree::from(Literal::string(&self.text));
        let call = [
            colon(Spacing::Joint),
            colon(Spacing::Alone),
            Ident::new("core", self.span).into(),
            colon(Spacing::Joint),
            colon(Spacing::Alone),
            Ident::new("compile_error", self.span).into(),
            Punct::new('!', Spacing::Alone).into(),
            Group::new(Delimiter::Brace, text.into()).into(),
        ];
        call.into_iter()
            .map(|mut token| {
                // The span of every token counts: rustc underlines from the first to the last.
                token.set_span(self.span);
                token
            })
            .collect()
    }
}
