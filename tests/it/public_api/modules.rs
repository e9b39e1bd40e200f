//! The modules of the crate as their files have them, and what a name means in one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::{Attribute, Item, Meta, Token, UseTree, Visibility};

/// What is public without tests and failpoints.
const LEFT_OUT: [&str; 1] = ["failpoints"];

/// Where an item is: its module and name, such as `crate::task::record`, `TaskRecord`.
pub type Place = (String, String);

/// A name that a module brings in from elsewhere.
pub struct Import {
    pub path: Vec<String>,
    pub is_public: bool,
}

/// One module: its items by the names of their files, and what it imports.
pub struct Module {
    pub items: Vec<Item>,
    pub imports: BTreeMap<String, Import>,
    /// Modules of which everything is imported.
    globs: Vec<Vec<String>>,
}

/// All modules of the crate by their paths, which begin with `crate`.
pub struct Modules(pub BTreeMap<String, Module>);

impl Modules {
    /// Reads the crate whose root is this file.
    pub fn read(root: &Path) -> Self {
        let mut modules = Self(BTreeMap::new());
        modules.read_file(root, root.parent().unwrap(), "crate");
        modules
    }

    /// Adds the module of a file whose own modules are in `folder`.
    fn read_file(&mut self, file: &Path, folder: &Path, path: &str) {
        let text = std::fs::read_to_string(file).unwrap();
        let items = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items;
        self.add(items, folder, path);
    }

    fn add(&mut self, items: Vec<Item>, folder: &Path, path: &str) {
        let mut module = Module { items: Vec::new(), imports: BTreeMap::new(), globs: Vec::new() };
        for item in items.into_iter().filter(|item| is_built(attributes(item))) {
            match &item {
                Item::Mod(inner) => {
                    let name = inner.ident.to_string();
                    let (path, below) = (format!("{path}::{name}"), folder.join(&name));
                    match &inner.content {
                        Some((_, items)) => self.add(items.clone(), &below, &path),
                        None => self.read_file(&module_file(folder, &name, &inner.attrs), &below, &path),
                    }
                }
                Item::Use(import) => module.import(&import.tree, Vec::new(), is_public(&import.vis)),
                _ => {}
            }
            module.items.push(item);
        }
        self.0.insert(path.to_owned(), module);
    }

    /// The place of what `path` names in `module`, where it is an item of this crate.
    pub fn find(&self, module: &str, path: &[String]) -> Option<Place> {
        self.find_from(module, path, 0)
    }

    fn find_from(&self, module: &str, path: &[String], depth: usize) -> Option<Place> {
        // Two modules that import everything of each other.
        if depth > 8 {
            return None;
        }
        let parent = || module.rsplit_once("::").map(|(parent, _)| parent);
        match (path.first()?.as_str(), &path[1..]) {
            ("crate", rest) => self.find_from("crate", rest, depth + 1),
            ("self", rest) => self.find_from(module, rest, depth + 1),
            ("super", rest) => self.find_from(parent()?, rest, depth + 1),
            (name, []) => {
                let here = self.0.get(module)?;
                if here.items.iter().any(|item| name_of(item).is_some_and(|own| own == name)) {
                    return Some((module.to_owned(), name.to_owned()));
                }
                if let Some(import) = here.imports.get(name) {
                    // `use name;` names a crate.
                    return (import.path != [name]).then(|| self.find_from(module, &import.path, depth + 1))?;
                }
                let all = here.globs.iter().map(|glob| glob.iter().cloned().chain([name.to_owned()]).collect());
                all.into_iter().find_map(|path: Vec<String>| self.find_from(module, &path, depth + 1))
            }
            (name, rest) => {
                let inner = format!("{module}::{name}");
                if self.0.contains_key(&inner) {
                    return self.find_from(&inner, rest, depth + 1);
                }
                let import = &self.0.get(module)?.imports.get(name)?.path;
                let path: Vec<String> = import.iter().chain(rest).cloned().collect();
                (import.len() > 1 || import[0] != name).then(|| self.find_from(module, &path, depth + 1))?
            }
        }
    }

    /// The crate that a name comes from which this one does not define: `None` for what every program knows.
    pub fn foreign_crate(&self, module: &str, path: &[String]) -> Option<String> {
        if self.find(module, path).is_some() {
            return None;
        }
        let here = self.0.get(module)?;
        if let Some(import) = here.imports.get(&path[0]) {
            let first = &import.path[0];
            return if ["self", "super", "crate"].contains(&first.as_str()) {
                let names: Vec<String> = import.path.iter().chain(&path[1..]).cloned().collect();
                // An import of an import.
                let (last, to) = names.split_last()?;
                let module = self.module_at(module, to)?;
                self.foreign_crate(&module, std::slice::from_ref(last))
            } else {
                Some(first.clone())
            };
        }
        (path.len() > 1 && path[0].chars().all(|c| c.is_lowercase() || c == '_')).then(|| path[0].clone())
    }

    fn module_at(&self, module: &str, path: &[String]) -> Option<String> {
        let mut at = module.to_owned();
        for name in path {
            at = match name.as_str() {
                "crate" => "crate".to_owned(),
                "self" => at,
                "super" => at.rsplit_once("::")?.0.to_owned(),
                name => format!("{at}::{name}"),
            };
        }
        self.0.contains_key(&at).then_some(at)
    }
}

impl Module {
    fn import(&mut self, tree: &UseTree, mut path: Vec<String>, is_public: bool) {
        let mut named = |name: String, path: Vec<String>| self.imports.insert(name, Import { path, is_public });
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.import(&part.tree, path, is_public);
            }
            UseTree::Name(name) if name.ident == "self" => drop(named(path.last().cloned().unwrap(), path)),
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                named(name.ident.to_string(), path);
            }
            UseTree::Rename(rename) => {
                path.push(rename.ident.to_string());
                named(rename.rename.to_string(), path);
            }
            UseTree::Glob(_) => self.globs.push(path),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, path.clone(), is_public)),
        }
    }
}

/// The file of a module that is declared in another one.
fn module_file(folder: &Path, name: &str, attributes: &[Attribute]) -> PathBuf {
    let named = attributes.iter().find(|attribute| attribute.path().is_ident("path"));
    assert!(named.is_none(), "{name}: modules are where their names say");
    folder.join(format!("{name}.rs"))
}

pub fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether what has these attributes is in the crate as its users build it with all features but those for its own tests,
/// and in its documentation.
pub fn is_built(attributes: &[Attribute]) -> bool {
    let is_hidden = |attribute: &Attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("doc") && list.is_ok_and(|list| list.tokens.to_string() == "hidden")
    };
    !attributes.iter().any(is_hidden)
        && attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).all(|attribute| {
            let condition: Meta = attribute.parse_args().unwrap();
            holds(&condition)
        })
}

fn holds(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => !path.is_ident("test"),
        Meta::NameValue(pair) => {
            let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(value), .. }) = &pair.value else { return true };
            let value = value.value();
            match pair.path.get_ident().map(ToString::to_string).as_deref() {
                Some("feature") => !LEFT_OUT.contains(&value.as_str()),
                Some("target_os") => value == "linux",
                _ => true,
            }
        }
        Meta::List(list) => {
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap();
            match list.path.get_ident().map(ToString::to_string).as_deref() {
                Some("not") => !parts.iter().all(holds),
                Some("any") => parts.iter().any(holds),
                _ => parts.iter().all(holds),
            }
        }
    }
}

pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name of an item that can be imported.
fn name_of(item: &Item) -> Option<&syn::Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Mod(item) => Some(&item.ident),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        _ => None,
    }
}
