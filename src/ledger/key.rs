//! The names of entries: whose page, which one, read how.
//!
//! An entry's name is the page's, then its recipe's: so all that was ever read of a page can be found, and removed,
//! without knowing by which recipes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::blob::hex;
use crate::task::{ImageName, PageOutput, ParseError};

/// Whether tenants share what the ledger has; the setting `ledger_scope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerSharing {
    /// Each tenant has its own pages, and neither reuses nor learns what another had read.
    #[default]
    Tenant,
    /// A page that one tenant had read is not paid for again by another.
    Shared,
}

impl LedgerSharing {
    /// The name of the setting's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Shared => "shared",
        }
    }
}

impl FromStr for LedgerSharing {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let all = [Self::Tenant, Self::Shared];
        all.into_iter().find(|value| value.as_str() == text).ok_or_else(|| ParseError::new("must be tenant or shared"))
    }
}

/// Who finds an entry: the tasks of one tenant, or all that have none or share theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LedgerScope(Option<String>);

impl LedgerScope {
    /// The scope of all tasks without a tenant, and of all others where tenants share.
    pub const SHARED: Self = Self(None);

    /// The scope of the tasks of `tenant`.
    #[must_use]
    pub fn of(sharing: LedgerSharing, tenant: Option<&str>) -> Self {
        match sharing {
            LedgerSharing::Tenant => Self(tenant.map(str::to_owned)),
            LedgerSharing::Shared => Self::SHARED,
        }
    }

    /// A hash that begins with the scope. The length keeps names of tenants apart from what follows.
    fn hash(&self, kind: &[u8]) -> Sha256 {
        let tenant = self.0.as_deref().unwrap_or_default();
        let mut hash = Sha256::new();
        hash.update([u8::from(self.0.is_some())]);
        hash.update((tenant.len() as u64).to_be_bytes());
        hash.update(tenant);
        hash.update(kind);
        hash
    }
}

/// Everything besides the page that decides what its Markdown will be, as a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecipeHash {
    hash: [u8; 32],
    /// Whether it also depends on the page's number.
    by_number: bool,
    /// Whether pages that stray from what their PDF says are left where they are.
    faithful_only: bool,
    /// Whether entries of versions before the scopes count for every scope.
    before_scopes: bool,
}

impl RecipeHash {
    /// The hash of a recipe: processor, version, model, prompt, parameters.
    #[must_use]
    pub fn of(recipe: &impl Serialize) -> Self {
        let json = serde_json::to_vec(recipe).unwrap_or_default();
        Self { hash: Sha256::digest(json).into(), by_number: false, faithful_only: false, before_scopes: false }
    }

    /// The same, when `by_number` for each page number another one: for recipes that a page's number goes into.
    #[must_use]
    pub const fn with_number(self, by_number: bool) -> Self {
        Self { by_number, ..self }
    }

    /// The same, without the pages that stray from what their PDF says.
    #[must_use]
    pub const fn faithful_only(self) -> Self {
        Self { faithful_only: true, ..self }
    }

    /// The same for a task that was accepted when all tenants shared one scope: it also finds, whosever it is, what the
    /// ledger has under the names that entries had then.
    #[must_use]
    pub const fn before_scopes(self) -> Self {
        Self { before_scopes: true, ..self }
    }

    /// Whether a page that came out like this may be found and kept under it.
    #[must_use]
    pub fn takes(self, output: &PageOutput) -> bool {
        !(self.faithful_only && output.is_unfaithful())
    }

    /// The recipe as it is for one page (its number from 1).
    #[must_use]
    pub fn for_page(self, page: u32) -> Self {
        if !self.by_number {
            return self;
        }
        let hash = Sha256::new().chain_update(b"page").chain_update(page.to_be_bytes()).chain_update(self.hash);
        Self { hash: hash.finalize().into(), by_number: false, ..self }
    }
}

impl fmt::Display for RecipeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.hash))
    }
}

/// One page in one scope, whatever has read it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageId([u8; 32]);

impl PageId {
    /// The page that shows `content`.
    #[must_use]
    pub fn of_content(scope: &LedgerScope, content: &[u8; 32]) -> Self {
        Self(scope.hash(b"content").chain_update(content).finalize().into())
    }

    /// A page whose content has no hash, by its file's hash and its number (from 1).
    #[must_use]
    pub fn of_place(scope: &LedgerScope, source_sha256: &str, page: u32) -> Self {
        let hash = scope.hash(b"place").chain_update(source_sha256).chain_update(page.to_be_bytes());
        Self(hash.finalize().into())
    }
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// The name of one page's entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageKey {
    page: PageId,
    recipe: RecipeHash,
    /// The name that the entry had when there was one scope for all, where that may still be looked for.
    older: Option<[u8; 32]>,
}

impl PageKey {
    /// The key of a page by what it shows.
    #[must_use]
    pub fn of_content(scope: &LedgerScope, content: &[u8; 32], recipe: RecipeHash) -> Self {
        let older = Sha256::new().chain_update(b"content").chain_update(content).chain_update(recipe.hash);
        Self::new(scope, PageId::of_content(scope, content), recipe, older)
    }

    /// The key of a page whose content has no hash, by its file's hash and its number (from 1).
    #[must_use]
    pub fn of_place(scope: &LedgerScope, source_sha256: &str, page: u32, recipe: RecipeHash) -> Self {
        let older =
            Sha256::new().chain_update(source_sha256).chain_update(page.to_be_bytes()).chain_update(recipe.hash);
        Self::new(scope, PageId::of_place(scope, source_sha256, page), recipe, older)
    }

    fn new(scope: &LedgerScope, page: PageId, recipe: RecipeHash, older: Sha256) -> Self {
        let has_older = *scope == LedgerScope::SHARED || recipe.before_scopes;
        let older = has_older.then(|| older.finalize().into());
        Self { page, recipe, older }
    }

    pub(super) const fn page(&self) -> PageId {
        self.page
    }

    pub(super) fn blob_key(&self) -> String {
        format!("{}/{self}.json", folder(self.page))
    }

    pub(super) fn image_key(&self, name: &ImageName) -> String {
        format!("{}/{self}-{name}", folder(self.page))
    }

    /// Where the entry may stand instead, of a version before the scopes.
    pub(super) fn older_blob_key(&self) -> Option<String> {
        let name = hex(&self.older?);
        Some(format!("ledger/{}/{name}.json", &name[..2]))
    }
}

/// The folder with all entries of a page.
pub(super) fn folder(page: PageId) -> String {
    format!("ledger/{}", hex(&page.0[..1]))
}

/// The page that an entry is of, going by its name; `None` for those of a version before the scopes.
pub(super) fn page_of(name: &str) -> Option<&str> {
    name.split_once('-').map(|(page, _)| page)
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.page, self.recipe)
    }
}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What tenants share is the operator's choice, and nothing unless it says so.
    #[test]
    fn scopes_are_shared_by_those_who_may() {
        use LedgerSharing::{Shared, Tenant};
        let scope = LedgerScope::of;
        assert_eq!(LedgerSharing::default(), Tenant);
        assert_ne!(scope(Tenant, Some("ann")), scope(Tenant, Some("bob")));
        assert_eq!(scope(Tenant, Some("ann")), scope(Tenant, Some("ann")));
        assert_ne!(scope(Tenant, Some("ann")), scope(Tenant, None));
        assert_ne!(scope(Tenant, Some("")), scope(Tenant, None), "a name without letters is a name");
        assert_eq!(scope(Shared, Some("ann")), scope(Shared, Some("bob")));
        assert_eq!(scope(Shared, Some("ann")), scope(Tenant, None), "those without keys have always shared");
        for sharing in [Tenant, Shared] {
            assert_eq!(sharing.as_str().parse(), Ok(sharing));
        }
        assert!("Tenant".parse::<LedgerSharing>().is_err());
    }

    #[test]
    fn every_part_of_a_key_counts() {
        let scopes =
            [None, Some(""), Some("a"), Some("b"), Some("acontent")].map(|t| LedgerScope::of(LedgerSharing::Tenant, t));
        let recipes = ["text", "llm"].map(|recipe| RecipeHash::of(&recipe));
        let mut keys = std::collections::BTreeSet::new();
        let mut made = 0;
        for scope in &scopes {
            for recipe in recipes {
                for n in [1, 2] {
                    let (content, place) = (PageKey::of_content(scope, &[n; 32], recipe), ["aa", "ab"]);
                    let places = place.map(|sha| PageKey::of_place(scope, sha, n.into(), recipe));
                    for key in places.into_iter().chain([content]) {
                        made += 1;
                        keys.extend([Some(key.blob_key()), key.older_blob_key()].into_iter().flatten());
                        assert_eq!(key.older_blob_key().is_some(), *scope == LedgerScope::SHARED);
                        let name = key.blob_key();
                        let name = name.rsplit('/').next().unwrap();
                        assert_eq!(page_of(name), Some(key.page.to_string().as_str()));
                        assert_eq!(key.blob_key(), format!("{}/{name}", folder(key.page)));
                    }
                }
            }
        }
        assert_eq!(keys.len(), made + made / scopes.len(), "all differ");
    }

    /// The name of a tenant and the hash of a file are what a caller says.
    #[test]
    fn no_tenant_is_named_so_that_it_has_anothers_pages() {
        let scope = |tenant| LedgerScope::of(LedgerSharing::Tenant, Some(tenant));
        let letters = *b"0123456789abcdef0123456789ab\0\0\0\x01";
        let text = str::from_utf8(&letters[..28]).unwrap();
        let by_content = PageId::of_content(&scope("a"), &letters);
        assert!(by_content != PageId::of_place(&scope("a"), text, 1), "the kind counts");
        let by_content = PageId::of_content(&scope("aplaceQ"), &letters);
        let by_place = PageId::of_place(&scope("a"), &format!("Qcontent{text}"), 1);
        assert!(by_content != by_place, "where the name ends counts");
    }

    #[test]
    fn a_recipe_that_a_number_goes_into_is_another_one_for_each_page() {
        let recipe = RecipeHash::of(&"{page}");
        assert!(recipe.for_page(1) == recipe && recipe.with_number(false) == recipe);
        let numbered = recipe.with_number(true);
        assert!(numbered.for_page(1) != numbered.for_page(2) && numbered.for_page(1) != recipe);
        assert!(numbered.for_page(1).for_page(2) == numbered.for_page(1), "that of a page is of no other");
        assert!(numbered.faithful_only().for_page(1) == numbered.for_page(1).faithful_only());
    }

    /// What was paid before there were scopes is found under the name that it has.
    #[test]
    fn older_names_are_those_of_older_versions() {
        let recipe = RecipeHash::of(&"text");
        let key = PageKey::of_content(&LedgerScope::SHARED, &[7; 32], recipe);
        let hash = Sha256::digest([&b"content"[..], &[7; 32], &recipe.hash].concat());
        assert_eq!(key.older_blob_key().unwrap(), format!("ledger/{}/{}.json", hex(&hash[..1]), hex(&hash)));
        let key = PageKey::of_place(&LedgerScope::SHARED, "aa", 3, recipe);
        let hash = Sha256::digest([&b"aa"[..], &3_u32.to_be_bytes(), &recipe.hash].concat());
        assert!(key.older_blob_key().unwrap().ends_with(&format!("/{}.json", hex(&hash))));
        assert_eq!(page_of(&format!("{}.json", hex(&hash))), None);
        let ann = LedgerScope::of(LedgerSharing::Tenant, Some("ann"));
        let of_ann = |recipe| PageKey::of_place(&ann, "aa", 3, recipe).older_blob_key();
        assert_eq!(of_ann(recipe), None);
        assert_eq!(of_ann(recipe.before_scopes()), key.older_blob_key());
    }
}
