//! `#[derive(Parameters)]`: a struct's fields visited under their names. See `warploom_nn::Parameters`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Index, parse_macro_input, parse_quote};

/// Visits every field under its name: modules, variables, and `Vec`, `Option`, `Box`, arrays of them. Fields of a tuple
/// struct are named by position.
///
/// `#[parameters(state)]` on a field marks its variables as state that no optimizer changes, such as running statistics;
/// `#[parameters(skip)]` leaves a field out, such as a number of heads.
#[proc_macro_derive(Parameters, attributes(parameters))]
pub fn parameters(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(input, &quote!(::warploom_nn)).unwrap_or_else(Error::into_compile_error).into()
}

/// [`macro@Parameters`] for crates that depend on `warploom` alone, which exports it under that name.
#[proc_macro_derive(ParametersOfWarploom, attributes(parameters))]
pub fn parameters_of_warploom(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(input, &quote!(::warploom::nn)).unwrap_or_else(Error::into_compile_error).into()
}

/// What is done with a field.
#[derive(Clone, Copy, PartialEq)]
enum Treatment {
    Parameter,
    State,
    Skip,
}

fn derive(mut input: DeriveInput, root: &TokenStream) -> Result<TokenStream, Error> {
    let fields = match input.data {
        Data::Struct(data) => data.fields,
        Data::Enum(_) | Data::Union(_) => {
            let message =
                "Parameters is derived for structs; implement visit and visit_mut by hand for other types";
            return Err(Error::new(input.ident.span(), message));
        }
    };
    let shared = visits(&fields, root, false)?;
    let exclusive = visits(&fields, root, true)?;
    for parameter in input.generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#root::Parameters));
    }
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics #root::Parameters for #name #arguments #bounds {
            #[allow(unused_variables)]
            fn visit(&self, visitor: &mut #root::Visitor<'_>) { #(#shared)* }
            #[allow(unused_variables)]
            fn visit_mut(&mut self, visitor: &mut #root::VisitorMut<'_>) { #(#exclusive)* }
        }
    })
}

/// One call of the visitor for each field that is not skipped.
fn visits(fields: &Fields, root: &TokenStream, exclusive: bool) -> Result<Vec<TokenStream>, Error> {
    let mut calls = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        let kind = match treatment(field)? {
            Treatment::Parameter => quote!(#root::Kind::Parameter),
            Treatment::State => quote!(#root::Kind::State),
            Treatment::Skip => continue,
        };
        // All of the call stands at the field's type, where a type that holds no variables is then reported.
        let span = field.ty.span();
        let (name, member) = match &field.ident {
            Some(ident) => {
                let mut member = ident.clone();
                member.set_span(span);
                (ident.to_string().trim_start_matches("r#").to_owned(), quote!(#member))
            }
            None => {
                let index = Index { index: position as u32, span };
                (position.to_string(), quote!(#index))
            }
        };
        calls.push(if exclusive {
            quote_spanned!(span=> visitor.field_mut(#name, #kind, &mut self.#member);)
        } else {
            quote_spanned!(span=> visitor.field(#name, #kind, &self.#member);)
        });
    }
    Ok(calls)
}

fn treatment(field: &Field) -> Result<Treatment, Error> {
    let mut treatment = Treatment::Parameter;
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("parameters")) {
        attribute.parse_nested_meta(|meta| {
            treatment = match () {
                () if meta.path.is_ident("state") => Treatment::State,
                () if meta.path.is_ident("skip") => Treatment::Skip,
                () => return Err(meta.error("expected `state` or `skip`")),
            };
            Ok(())
        })?;
    }
    Ok(treatment)
}
