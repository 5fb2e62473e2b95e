//! The attributes `#[trefoil::main]` and `#[trefoil::test]`.
