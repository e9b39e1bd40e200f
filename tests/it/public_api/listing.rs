//! The lines of the list: what a program that embeds the crate can name, each with its signature.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::visit::Visit;
use syn::{Attribute, Fields, FnArg, ImplItem, Item, ItemImpl, Pat, Path, ReceiverKind, Signature, TraitItem, Type};

use super::modules::{Modules, Place, is_built, is_public};

/// The public items, and what is amiss with them.
#[derive(Default)]
pub struct Listing {
    /// Each with the path that it stands under.
    lines: BTreeSet<(String, String)>,
    /// Crates of types in signatures, with the first item that names one.
    pub foreign: BTreeMap<String, String>,
    /// Items of this crate in signatures that have no public path.
    pub unreachable: BTreeSet<String>,
    /// Crates that are passed on, with `pub use`.
    pub passed_on: BTreeSet<String>,
    /// Signatures of which a failure is a text.
    pub untyped: BTreeSet<String>,
}

impl Listing {
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|(_, line)| [line, "\n"]).collect()
    }
}

pub struct Lister<'a> {
    modules: &'a Modules,
    /// The public paths of each item, the one that it is listed under first.
    paths: BTreeMap<Place, Vec<String>>,
    listing: Listing,
}

impl<'a> Lister<'a> {
    pub fn list(modules: &'a Modules, name: &str) -> Listing {
        let mut lister = Self { modules, paths: BTreeMap::new(), listing: Listing::default() };
        lister.reach("crate", name, &mut BTreeSet::new());
        for paths in lister.paths.values_mut() {
            // Under its room rather than at the root.
            paths.sort_by_key(|path| (std::cmp::Reverse(path.matches("::").count()), path.clone()));
        }
        let paths = lister.paths.clone();
        for ((module, name), public) in &paths {
            let item = modules.0[module].items.iter().find(|item| is_named(item, name)).unwrap();
            lister.item(module, &public[0], item);
            for also in &public[1..] {
                lister.line(also, format!("pub use {} as {also}", public[0]));
            }
        }
        for (module, content) in &modules.0 {
            for item in &content.items {
                if let Item::Impl(block) = item {
                    lister.implementation(module, block);
                }
            }
        }
        lister.listing
    }

    /// Notes the public paths of what is in a module.
    fn reach(&mut self, module: &str, path: &str, seen: &mut BTreeSet<(String, String)>) {
        if !seen.insert((module.to_owned(), path.to_owned())) {
            return;
        }
        let content = &self.modules.0[module];
        for item in &content.items {
            let Some(name) = public_name(item) else { continue };
            self.place((module.to_owned(), name.clone()), format!("{path}::{name}"), seen);
        }
        for (name, import) in content.imports.iter().filter(|(_, import)| import.is_public) {
            let path = format!("{path}::{name}");
            if let Some(place) = self.modules.find(module, &import.path) {
                self.place(place, path, seen);
            } else {
                self.line(&path, format!("pub use {} as {path}", import.path.join("::")));
                self.listing.passed_on.insert(import.path[0].clone());
            }
        }
    }

    fn place(&mut self, place: Place, path: String, seen: &mut BTreeSet<(String, String)>) {
        let inner = format!("{}::{}", place.0, place.1);
        if self.modules.0.contains_key(&inner) {
            self.reach(&inner, &path, seen);
        }
        self.paths.entry(place).or_default().push(path);
    }

    fn item(&mut self, module: &str, path: &str, item: &Item) {
        match item {
            Item::Const(item) => self.typed(module, path, "pub const ", &item.ty),
            Item::Static(item) => self.typed(module, path, "pub static ", &item.ty),
            Item::Fn(item) => self.function(module, path, "pub ", &item.sig),
            Item::Mod(_) => self.line(path, format!("pub mod {path}")),
            Item::Type(item) => self.typed(module, path, "pub type ", &item.ty),
            Item::Struct(item) => {
                let kind = if matches!(item.fields, Fields::Unit) { ";" } else { "" };
                let head = format!("{}pub struct {path}{}{kind}", marks(&item.attrs), text(&item.generics));
                self.names(module, &head, |see| see.visit_generics(&item.generics));
                self.line(path, head);
                self.fields(module, path, &item.fields, false);
            }
            Item::Enum(item) => {
                self.line(path, format!("{}pub enum {path}{}", marks(&item.attrs), text(&item.generics)));
                for variant in item.variants.iter().filter(|variant| is_built(&variant.attrs)) {
                    let path = format!("{path}::{}", variant.ident);
                    self.line(&path, format!("{}{path}", marks(&variant.attrs)));
                    self.fields(module, &path, &variant.fields, true);
                }
            }
            Item::Trait(item) => {
                let bounds = &item.supertraits;
                let bounds = if bounds.is_empty() { String::new() } else { format!(": {}", text(bounds)) };
                self.line(path, format!("pub trait {path}{}{bounds}", text(&item.generics)));
                for part in &item.items {
                    self.trait_item(module, path, part);
                }
            }
            _ => {}
        }
    }

    fn trait_item(&mut self, module: &str, path: &str, item: &TraitItem) {
        match item {
            TraitItem::Fn(item) if is_built(&item.attrs) => {
                let kind = if item.default.is_some() { "provided " } else { "required " };
                self.function(module, &format!("{path}::{}", item.sig.ident), kind, &item.sig);
            }
            TraitItem::Type(item) => {
                let path = format!("{path}::{}", item.ident);
                self.line(&path, format!("required type {path}"));
            }
            TraitItem::Const(item) => {
                self.typed(module, &format!("{path}::{}", item.ident), "required const ", &item.ty);
            }
            _ => {}
        }
    }

    /// All fields of a variant, or those of a struct that are public.
    fn fields(&mut self, module: &str, path: &str, fields: &Fields, all: bool) {
        for (index, field) in fields.iter().enumerate().filter(|(_, field)| all || is_public(&field.vis)) {
            if is_built(&field.attrs) {
                let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
                self.typed(module, &format!("{path}::{name}"), "", &field.ty);
            }
        }
    }

    fn implementation(&mut self, module: &str, block: &ItemImpl) {
        let public = |names: &[String]| {
            let place = self.modules.find(module, names)?;
            Some(self.paths.get(&place).map(|paths| paths[0].clone()))
        };
        let own = path_of(&block.self_ty).and_then(|path| public(&segments(path)));
        let Some((of, _)) = &block.trait_ else {
            let Some(Some(path)) = own else { return };
            return self.inherent(module, &path, block);
        };
        let of_crate = public(&segments(of));
        // What has no public path cannot be used from outside: the type, the trait, or what the trait is about.
        let mut named = Named::default();
        named.visit_path(of);
        let hidden = named.0.iter().any(|path| matches!(public(path), Some(None)));
        if hidden || matches!(own, Some(None)) || (own.is_none() && of_crate.is_none()) {
            return;
        }
        let generics = &block.generics;
        let clause = generics.where_clause.as_ref().map(|clause| format!(" {}", text(clause))).unwrap_or_default();
        let of = text(of);
        let head = format!("impl{} {of} for {}{clause}", text(&generics), text(&block.self_ty));
        let place = own.flatten().or(of_crate.flatten()).unwrap_or_default();
        for item in &block.items {
            if let ImplItem::Type(item) = item {
                self.names(module, &head, |see| see.visit_type(&item.ty));
            }
        }
        self.line(&place, head);
    }

    fn inherent(&mut self, module: &str, path: &str, block: &ItemImpl) {
        for item in &block.items {
            match item {
                ImplItem::Fn(item) if is_public(&item.vis) && is_built(&item.attrs) => {
                    self.function(module, &format!("{path}::{}", item.sig.ident), "pub ", &item.sig);
                }
                ImplItem::Const(item) if is_public(&item.vis) => {
                    self.typed(module, &format!("{path}::{}", item.ident), "pub const ", &item.ty);
                }
                _ => {}
            }
        }
    }

    fn function(&mut self, module: &str, path: &str, kind: &str, signature: &Signature) {
        let mut shown = signature.clone();
        for input in &mut shown.inputs {
            // Whether the function changes its own copy is its own business.
            match input {
                FnArg::Receiver(own) if matches!(own.kind, ReceiverKind::Value) => own.mutability = None,
                FnArg::Typed(typed) => {
                    if let Pat::Ident(name) = &mut *typed.pat {
                        name.mutability = None;
                    }
                }
                FnArg::Receiver(_) => {}
            }
        }
        let (name, shown) = (format!("fn {}", signature.ident), text(&shown));
        let line = format!("{kind}{}", shown.replacen(&name, &format!("fn {path}"), 1));
        self.names(module, &line, |see| see.visit_signature(signature));
        let output = text(&signature.output);
        if output.contains("Result<") && output.contains(", String>") {
            self.listing.untyped.insert(line.clone());
        }
        self.line(path, line);
    }

    fn typed(&mut self, module: &str, path: &str, kind: &str, ty: &Type) {
        let line = format!("{kind}{path}: {}", text(ty));
        self.names(module, &line, |see| see.visit_type(ty));
        self.line(path, line);
    }

    fn line(&mut self, path: &str, line: String) {
        self.listing.lines.insert((path.to_owned(), line));
    }

    /// Notes where the types come from that a line names.
    fn names(&mut self, module: &str, line: &str, visit: impl FnOnce(&mut Named)) {
        let mut named = Named::default();
        visit(&mut named);
        for path in named.0 {
            match self.modules.find(module, &path) {
                Some(place) if !self.paths.contains_key(&place) => {
                    self.listing.unreachable.insert(format!("{} in {line}", path.join("::")));
                }
                Some(_) => {}
                None => {
                    let Some(foreign) = self.modules.foreign_crate(module, &path) else { continue };
                    self.listing.foreign.entry(foreign).or_insert_with(|| line.to_owned());
                }
            }
        }
    }
}

/// The paths in a signature.
#[derive(Default)]
struct Named(Vec<Vec<String>>);

impl<'a> Visit<'a> for Named {
    fn visit_path(&mut self, path: &'a Path) {
        self.0.push(segments(path));
        syn::visit::visit_path(self, path);
    }
}

fn segments(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn path_of(ty: &Type) -> Option<&Path> {
    match ty {
        Type::Path(path) => Some(&path.path),
        _ => None,
    }
}

fn public_name(item: &Item) -> Option<String> {
    let (visibility, name) = match item {
        Item::Const(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Mod(item) => (&item.vis, &item.ident),
        Item::Static(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    is_public(visibility).then(|| name.to_string())
}

fn is_named(item: &Item, name: &str) -> bool {
    public_name(item).is_some_and(|own| own == name)
}

/// What an item derives, and whether it may grow.
fn marks(attributes: &[Attribute]) -> String {
    let kept = attributes
        .iter()
        .filter(|attribute| ["derive", "non_exhaustive"].iter().any(|name| attribute.path().is_ident(name)));
    kept.flat_map(|attribute| [text(attribute), " ".to_owned()]).collect()
}

/// Source text without the spaces between tokens that rustfmt would not write.
fn text(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" ,", ","),
        (" : ", ": "),
        ("& ", "&"),
        ("* ", "*"),
        ("? ", "?"),
        ("# [", "#["),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        (" ;", ";"),
        ("->(", "-> ("),
        (",(", ", ("),
        (",<", ", <"),
        (",)", ")"),
        (",>", ">"),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}
