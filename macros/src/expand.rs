//! Puts the function together again, with a runtime around its body.
//!
//! ```text
//!   #[test]                                              only for `test`
//!   ATTRIBUTES pub fn name(…) -> Ret {
//!       let body = async {
//!           if let Some(value) = None::<Ret> { return value; }          (1)
//!           BODY
//!       };
//!       let body: Pin<&mut dyn Future<Output = _>> = pin!(body);        (2) only for `test`
//!       let runtime = ROOT::runtime::Builder::new_…()…build()…;
//!       runtime.block_on(body)
//!   }
//! ```
//!
//! (1) never happens; it tells rustc what the block is to return. So the body is checked as that
//! of a function is: `?` knows its error type, and a wrong value is reported where it stands.
//! (2) makes all tests call the same `block_on`; without it each would compile its own.
//! Names of the expansion are invisible to the body (`Span::mixed_site`).
//! Read next: `args.rs`.

#![forbid(unsafe_code)]

use std::str::FromStr;

use proc_macro::{Delimiter, Group, Span, TokenStream, TokenTree};

use crate::args::{self, Args, Flavor};
use crate::error::Error;
use crate::function::{self, Function};

/// Which attribute is expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    /// `#[main]`
    Main,
    /// `#[test]`
    Test,
}

impl Attribute {
    /// The flavour without `flavor = …`: a program wants its CPUs, a test wants to be cheap and
    /// the same each time.
    pub(crate) fn default_flavor(self) -> Flavor {
        match self {
            Self::Main => Flavor::MultiThread,
            Self::Test => Flavor::CurrentThread,
        }
    }
}

/// Expands `#[attribute(args)] item`; paths begin with `root` unless the arguments say otherwise.
pub(crate) fn expand(
    attribute: Attribute,
    root: &str,
    args: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let function = match function::parse(item.clone()) {
        Ok(function) => function,
        Err(error) => return error.to_tokens().into_iter().chain(item).collect(),
    };
    match args::parse(attribute, args).and_then(|args| check(attribute, &function).map(|()| args)) {
        Ok(args) => assemble(attribute, root, &args, function),
        Err(error) => {
            // The function stays, or rustc would complain besides that there is no `main`.
            let shell = wrapped(attribute, function, code("::core::panic!()"));
            error.to_tokens().into_iter().chain(shell).collect()
        }
    }
}

/// Refuses what would expand to something misleading.
fn check(attribute: Attribute, function: &Function) -> Result<(), Error> {
    let has_arguments = !function.arguments.stream().is_empty();
    match attribute {
        Attribute::Main if has_arguments && function.name.to_string() == "main" => {
            let text = "`main` takes no arguments; use `std::env::args()`";
            Err(Error::new(function.arguments.span(), text))
        }
        Attribute::Test => {
            match function
                .attributes
                .iter()
                .find(|attribute| is_standard_test(attribute))
            {
                Some(second) => {
                    let text = "a second `test` attribute would run the test twice; remove one";
                    Err(Error::new(second.span(), text))
                }
                None => Ok(()),
            }
        }
        Attribute::Main => Ok(()),
    }
}

/// True for `#[test]`, however it is spelled.
fn is_standard_test(attribute: &Group) -> bool {
    let path: String = attribute
        .stream()
        .into_iter()
        .map(|token| token.to_string())
        .collect();
    matches!(
        path.trim_start_matches("::"),
        "test" | "core::prelude::v1::test" | "std::prelude::v1::test"
    )
}

/// The whole function.
fn assemble(attribute: Attribute, root: &str, args: &Args, mut function: Function) -> TokenStream {
    let mut content = TokenStream::new();
    content.extend(code("let body = async"));
    content.extend([body(&mut function)]);
    content.extend(code(";"));
    if attribute == Attribute::Test {
        content.extend(code(
            "let body: ::core::pin::Pin<&mut dyn ::core::future::Future<Output = _>> = \
             ::core::pin::pin!(body);",
        ));
    }
    content.extend(code("let runtime ="));
    content.extend(builder(root, args));
    content.extend(code("; runtime.block_on(body)"));
    wrapped(attribute, function, content)
}

/// The braces behind `async`.
fn body(function: &mut Function) -> TokenTree {
    let mut content = TokenStream::new();
    if can_be_named(&function.returns) {
        // rustc says "inferred here" of this `return`: let it say so of the type behind `->`.
        let place = match function.returns.first() {
            Some(first) => first.span(),
            None => function.name.span(),
        };
        let code = |text| args::respanned(code(text), Span::mixed_site().located_at(place));
        content.extend(code(
            "if let ::core::option::Option::Some(value) = ::core::option::Option::None::<",
        ));
        if function.returns.is_empty() {
            content.extend(code("()"));
        }
        content.extend(function.returns.iter().cloned());
        // With a semicolon, or it would be the value of an empty body.
        content.extend(code("> { return value; };"));
    }
    content.extend(function.body.drain(..));
    let mut braces = Group::new(Delimiter::Brace, content);
    // A body that ends without a value, though one is due: rustc underlines the braces.
    braces.set_span(function.last_statement);
    braces.into()
}

/// False for result types that may not stand in an expression: `impl Trait` and `!`.
fn can_be_named(returns: &[TokenTree]) -> bool {
    !returns.iter().any(|token| match token {
        TokenTree::Ident(word) => word.to_string() == "impl",
        TokenTree::Punct(punct) => punct.as_char() == '!',
        TokenTree::Group(group) => !can_be_named(&group.stream().into_iter().collect::<Vec<_>>()),
        TokenTree::Literal(_) => false,
    })
}

/// The expression that builds the runtime.
fn builder(root: &str, args: &Args) -> TokenStream {
    let mut tokens = args.root.clone().unwrap_or_else(|| code(root));
    tokens.extend(code(match args.flavor {
        Flavor::MultiThread => "::runtime::Builder::new_multi_thread()",
        Flavor::CurrentThread | Flavor::Local => "::runtime::Builder::new_current_thread()",
    }));
    let mut call = |method: &str, argument: TokenTree| {
        tokens.extend(code(method));
        tokens.extend([TokenTree::from(Group::new(
            Delimiter::Parenthesis,
            argument.into(),
        ))]);
    };
    if let Some(workers) = &args.worker_threads {
        call(".worker_threads", workers.clone().into());
    }
    if let Some(paused) = &args.start_paused {
        call(".start_paused", paused.clone().into());
    }
    if let Some(name) = &args.name {
        call(".name", name.clone().into());
    }
    tokens.extend(code(".enable_all()"));
    tokens.extend(code(match args.flavor {
        Flavor::Local => ".build_local(::core::default::Default::default())",
        Flavor::CurrentThread | Flavor::MultiThread => ".build()",
    }));
    tokens.extend(code(
        ".unwrap_or_else(|error| ::core::panic!(\"the runtime cannot start: {error}\"))",
    ));
    tokens
}

/// The function's head around new content.
fn wrapped(attribute: Attribute, function: Function, content: TokenStream) -> TokenStream {
    let mut tokens = TokenStream::new();
    if attribute == Attribute::Test {
        tokens.extend(code("#[::core::prelude::v1::test]"));
    }
    for attribute in function.attributes {
        tokens.extend(code("#"));
        tokens.extend([TokenTree::from(attribute)]);
    }
    tokens.extend(function.before);
    tokens.extend(function.signature);
    tokens.extend([TokenTree::from(Group::new(Delimiter::Brace, content))]);
    tokens
}

/// Tokens of the expansion itself.
fn code(text: &str) -> TokenStream {
    let tokens = TokenStream::from_str(text).expect("the expansion's own text has tokens only");
    args::respanned(tokens, Span::mixed_site())
}
