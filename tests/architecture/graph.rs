//! The module graph of a crate, read from its sources: which module names which, on which line.
//!
//! Both `use` trees and paths in code are edges, and a name that a module re-exports is traced to the module
//! that defines it. Code for tests is left out: items under `#[cfg(test)]` or the feature `testing`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Every module of the crate by its path, such as `services::ca`; the crate's root has an empty one.
pub struct Graph {
    modules: BTreeMap<String, Module>,
    mentions: Vec<Mention>,
}

#[derive(Default)]
struct Module {
    children: BTreeSet<String>,
    /// Imports of the module: the name, and the path that it refers to.
    imports: BTreeMap<String, Vec<String>>,
}

/// A path in the code of a module.
pub struct Mention {
    pub module: String,
    pub place: Place,
    /// As it is written: it begins with `crate`, `super`, `self`, a module, or another crate
    pub path: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: PathBuf,
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A module that names another module.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub place: Place,
}

impl Graph {
    /// Reads the crate whose root is `src/lib.rs`.
    pub fn read(package: &Path) -> Self {
        let mut reader = Reader {
            package,
            graph: Self {
                modules: BTreeMap::new(),
                mentions: Vec::new(),
            },
            file: PathBuf::new(),
        };
        reader.read_file("", Path::new("src/lib.rs"), Path::new("src"));
        reader.graph
    }

    /// The files that hold code, relative to the package's folder.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.mentions
            .iter()
            .map(|mention| mention.place.file.as_path())
    }

    /// Words and paths that lead out of the crate: other crates, macros, keywords.
    pub fn foreign(&self) -> impl Iterator<Item = &Mention> {
        self.mentions.iter().filter(|mention| {
            let first = mention.path[0].as_str();
            !matches!(first, "crate" | "self" | "super")
                && self.step(&mention.module, first, 0).is_none()
        })
    }

    /// Every edge between two modules, each with its first line.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = BTreeMap::new();
        for mention in self
            .mentions
            .iter()
            .filter(|mention| mention.path.len() > 1)
        {
            let Some(to) = self.resolve(&mention.module, &mention.path) else {
                continue;
            };
            if to != mention.module {
                let first = edges
                    .entry((mention.module.clone(), to))
                    .or_insert_with(|| mention.place.clone());
                *first = (*first).clone().min(mention.place.clone());
            }
        }
        let edge = |((from, to), place)| Edge { from, to, place };
        edges.into_iter().map(edge).collect()
    }

    /// The module in which a path ends; none if it leads out of the crate.
    fn resolve(&self, module: &str, path: &[String]) -> Option<String> {
        self.follow(module, path, 0).map(Target::into_module)
    }

    fn follow(&self, module: &str, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module(String::new()),
            "self" => Target::Module(module.to_owned()),
            "super" => Target::Module(parent(module)?.to_owned()),
            name => self.step(module, name, depth)?,
        };
        for name in rest {
            at = match (at, name.as_str()) {
                // What follows an item is inside of it, such as a variant.
                (item @ Target::ItemOf(_), _) => return Some(item),
                (Target::Module(module), "super") => Target::Module(parent(&module)?.to_owned()),
                (Target::Module(module), name) => self
                    .step(&module, name, depth)
                    .unwrap_or(Target::ItemOf(module)),
            };
        }
        Some(at)
    }

    /// Follows a name from a module: to a child, or to what `use` imports by that name.
    fn step(&self, module: &str, name: &str, depth: usize) -> Option<Target> {
        let found = self.modules.get(module)?;
        if found.children.contains(name) {
            return Some(Target::Module(child(module, name)));
        }
        let path = found.imports.get(name).filter(|_| depth < 8)?;
        self.follow(module, path, depth + 1)
    }
}

/// Where a path leads.
enum Target {
    Module(String),
    /// An item of this module.
    ItemOf(String),
}

impl Target {
    fn into_module(self) -> String {
        match self {
            Self::Module(module) | Self::ItemOf(module) => module,
        }
    }
}

fn parent(module: &str) -> Option<&str> {
    match module.rsplit_once("::") {
        Some((parent, _)) => Some(parent),
        None => (!module.is_empty()).then_some(""),
    }
}

fn child(module: &str, name: &str) -> String {
    if module.is_empty() {
        return name.to_owned();
    }
    format!("{module}::{name}")
}

struct Reader<'a> {
    package: &'a Path,
    graph: Graph,
    /// The file that is being read, relative to the package's folder.
    file: PathBuf,
}

impl Reader<'_> {
    /// Reads a module from its file; `folder` is where its children are.
    fn read_file(&mut self, module: &str, file: &Path, folder: &Path) {
        let text = std::fs::read_to_string(self.package.join(file)).unwrap();
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let outer = std::mem::replace(&mut self.file, file.to_owned());
        self.read_module(module, tokens, folder);
        self.file = outer;
    }

    fn read_module(&mut self, module: &str, tokens: TokenStream, folder: &Path) {
        self.graph.modules.entry(module.to_owned()).or_default();
        self.read_tokens(module, tokens, folder);
    }

    fn read_tokens(&mut self, module: &str, tokens: TokenStream, folder: &Path) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        // `#[path = "…"]` before a `mod`
        let mut path_attribute = None;
        while let [token, after @ ..] = rest {
            rest = match (token, after) {
                (TokenTree::Punct(hash), [TokenTree::Group(attribute), after @ ..])
                    if hash.as_char() == '#' && attribute.delimiter() == Delimiter::Bracket =>
                {
                    let text = attribute.stream().to_string();
                    let is_cfg = text.split(['(', ' ']).next() == Some("cfg");
                    if is_cfg && text.contains("test") {
                        skip_item(after)
                    } else {
                        if let Some(path) = text.strip_prefix("path = ") {
                            path_attribute = Some(path.to_owned());
                        }
                        self.read_tokens(module, attribute.stream(), folder);
                        after
                    }
                }
                (TokenTree::Ident(word), [TokenTree::Ident(name), body, after @ ..])
                    if word == "mod" =>
                {
                    let path = path_attribute.take();
                    self.read_child(module, &name.to_string(), body, folder, path);
                    after
                }
                (TokenTree::Ident(word), [next, ..]) if word == "use" && !is_punct(next, '<') => {
                    self.read_use(module, after)
                }
                (TokenTree::Ident(_), _) => self.read_path(module, rest),
                (TokenTree::Group(group), _) => {
                    self.read_tokens(module, group.stream(), folder);
                    after
                }
                _ => after,
            };
        }
    }

    fn read_child(
        &mut self,
        module: &str,
        name: &str,
        body: &TokenTree,
        folder: &Path,
        path: Option<String>,
    ) {
        let siblings = &mut self.graph.modules.get_mut(module).unwrap().children;
        siblings.insert(name.to_owned());
        let (module, below) = (child(module, name), folder.join(name));
        if let TokenTree::Group(body) = body {
            self.read_module(&module, body.stream(), &below);
        } else if let Some(path) = path {
            let mut file = self.file.parent().unwrap().to_owned();
            for segment in path.trim_matches('"').split('/') {
                match segment {
                    ".." => drop(file.pop()),
                    segment => file.push(segment),
                }
            }
            self.read_file(&module, &file, &below);
        } else {
            let mut file = below.with_extension("rs");
            if !self.package.join(&file).exists() {
                file = below.join("mod.rs");
            }
            self.read_file(&module, &file, &below);
        }
    }

    /// Reads a `use` declaration after its keyword; returns what follows it.
    fn read_use<'t>(&mut self, module: &str, tokens: &'t [TokenTree]) -> &'t [TokenTree] {
        let end = tokens.iter().position(|token| is_punct(token, ';'));
        let (tree, after) = tokens.split_at(end.unwrap());
        self.read_use_tree(module, &[], tree);
        after
    }

    fn read_use_tree(&mut self, module: &str, prefix: &[String], tree: &[TokenTree]) {
        let mut path = prefix.to_vec();
        let mut name = None;
        let mut line = 0;
        let mut tokens = tree.iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    name = tokens.next().map(ToString::to_string);
                }
                TokenTree::Ident(word) if word == "self" && !prefix.is_empty() => {
                    line = line_of(token);
                }
                TokenTree::Ident(word) => {
                    path.push(word.to_string());
                    line = line_of(token);
                }
                TokenTree::Group(group) => {
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    for tree in inner.split(|token| is_punct(token, ',')) {
                        self.read_use_tree(module, &path, tree);
                    }
                    return;
                }
                _ if is_punct(token, '*') => line = line_of(token),
                _ => {}
            }
        }
        if let Some(last) = path.last() {
            let name = name.unwrap_or_else(|| last.clone());
            let imports = &mut self.graph.modules.get_mut(module).unwrap().imports;
            imports.insert(name, path.clone());
            self.mention(module, path, line);
        }
    }

    /// Reads a word and the path that it begins; returns what follows.
    fn read_path<'t>(&mut self, module: &str, tokens: &'t [TokenTree]) -> &'t [TokenTree] {
        let mut path = vec![tokens[0].to_string()];
        let mut rest = &tokens[1..];
        while let [one, two, TokenTree::Ident(next), after @ ..] = rest
            && is_punct(one, ':')
            && is_punct(two, ':')
        {
            path.push(next.to_string());
            rest = after;
        }
        // `todo!(…)` is a path to a macro.
        if rest.first().is_some_and(|token| is_punct(token, '!')) {
            let last = path.last_mut().unwrap();
            last.push('!');
        }
        self.mention(module, path, line_of(&tokens[0]));
        rest
    }

    fn mention(&mut self, module: &str, path: Vec<String>, line: usize) {
        let file = self.file.clone();
        self.graph.mentions.push(Mention {
            module: module.to_owned(),
            place: Place { file, line },
            path,
        });
    }
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn line_of(token: &TokenTree) -> usize {
    token.span().start().line
}

/// What follows an item, a statement, a field or a match arm that is left out.
fn skip_item(mut tokens: &[TokenTree]) -> &[TokenTree] {
    const TO_SEMICOLON: [&str; 5] = ["use", "const", "static", "type", "let"];
    const ITEMS: [&str; 9] = [
        "fn",
        "mod",
        "impl",
        "struct",
        "enum",
        "trait",
        "unsafe",
        "async",
        "macro_rules",
    ];
    // Further attributes and the visibility come before the word that determines the kind.
    while let [TokenTree::Punct(hash), TokenTree::Group(_), after @ ..] = tokens
        && hash.as_char() == '#'
    {
        tokens = after;
    }
    if let [TokenTree::Ident(word), after @ ..] = tokens
        && word == "pub"
    {
        tokens = match after {
            [TokenTree::Group(group), after @ ..]
                if group.delimiter() == Delimiter::Parenthesis =>
            {
                after
            }
            _ => after,
        };
    }
    let word = tokens.first().map(ToString::to_string).unwrap_or_default();
    let is_fn = matches!(tokens, [_, TokenTree::Ident(second), ..] if second == "fn");
    let to_semicolon = TO_SEMICOLON.contains(&word.as_str()) && !is_fn;
    let is_item = to_semicolon || is_fn || ITEMS.contains(&word.as_str());
    let end = tokens.iter().position(|token| match token {
        TokenTree::Group(group) => !to_semicolon && group.delimiter() == Delimiter::Brace,
        token => is_punct(token, ';') || (!is_item && is_punct(token, ',')),
    });
    end.map_or(&[], |end| &tokens[end + 1..])
}
