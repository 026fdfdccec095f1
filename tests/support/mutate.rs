//! Changes a bundle in one place at a time: in its JSON, base64, DER, notes, proofs, times and keys. The
//! same seed gives the same changes.

use std::collections::HashSet;

use serde_json::{Map, Value};
use signet::testing::{from_base64, to_base64};

/// A changed bundle, the place of the change, and its description.
pub struct Mutation {
    /// A JSON pointer; `!` and a path follow for a place inside encoded bytes.
    pub place: String,
    pub what: String,
    pub json: String,
}

/// A pseudorandom generator (xorshift64*), so that a run can be repeated.
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

/// A bundle to change, and another valid one to take parts from.
pub struct Mutator<'a> {
    document: &'a Value,
    other: &'a Value,
    random: Random,
    seen: HashSet<String>,
    made: Vec<Mutation>,
}

impl<'a> Mutator<'a> {
    pub fn new(document: &'a Value, other: &'a Value, seed: u64) -> Self {
        Self {
            document,
            other,
            random: Random::new(seed),
            seen: HashSet::from([document.to_string()]),
            made: Vec::new(),
        }
    }

    /// Makes every change, each once.
    pub fn run(mut self) -> Vec<Mutation> {
        self.change_frame();
        for place in places(self.document) {
            let value = self.document.pointer(&place).unwrap().clone();
            self.change_structure(&place, &value);
            self.splice(&place, &value);
            if let Value::String(text) = &value {
                self.change_text(&place, text);
            }
        }
        self.made
    }

    fn push(&mut self, place: &str, what: impl Into<String>, json: String) {
        if self.seen.insert(json.clone()) {
            self.made.push(Mutation {
                place: place.to_owned(),
                what: what.into(),
                json,
            });
        }
    }

    fn replace(&mut self, place: &str, inside: &str, what: impl Into<String>, value: Value) {
        let mut document = self.document.clone();
        *document.pointer_mut(place).unwrap() = value;
        self.push(&format!("{place}{inside}"), what, document.to_string());
    }

    /// Changes around the document.
    fn change_frame(&mut self) {
        let text = self.document.to_string();
        for (what, json) in [
            ("a byte order mark before it", format!("\u{feff}{text}")),
            ("a brace after it", format!("{text}}}")),
            ("a second document after it", format!("{text}{text}")),
            ("a NUL after it", format!("{text}\0")),
            ("cut short", text[..text.len() - 1].to_owned()),
            ("inside a list", format!("[{text}]")),
            ("white space around it", format!(" \r\n\t{text}\n")),
            ("a comment before it", format!("/* not JSON */{text}")),
        ] {
            self.push("", what, json);
        }
    }

    /// Members and elements that are removed, empty, repeated, unknown or of another type.
    fn change_structure(&mut self, place: &str, value: &Value) {
        for (what, changed) in [
            ("null", Value::Null),
            ("an empty text", "".into()),
            ("an empty list", Value::Array(Vec::new())),
            ("an empty object", Value::Object(Map::new())),
            ("in a list", Value::Array(vec![value.clone()])),
            ("true", true.into()),
            ("a number", 7.into()),
            ("a negative number", (-1).into()),
            ("a fraction", 1.5.into()),
        ] {
            self.replace(place, "", what, changed);
        }
        let (parent, last) = place.rsplit_once('/').unwrap();
        match self.document.pointer(parent) {
            Some(Value::Object(_)) => self.change_member(parent, last, value),
            Some(Value::Array(elements)) => self.change_element(parent, last, &elements.clone()),
            _ => {}
        }
        if let Value::Object(members) = value {
            let mut more = members.clone();
            more.insert("unknownMember".to_owned(), 1.into());
            self.replace(place, "", "with an unknown member", Value::Object(more));
        }
    }

    fn change_member(&mut self, parent: &str, name: &str, value: &Value) {
        let place = format!("{parent}/{name}");
        let mut document = self.document.clone();
        let members = document.pointer_mut(parent).and_then(Value::as_object_mut);
        let members = members.unwrap();
        members.remove(name);
        let without = document.to_string();
        self.push(&place, "removed", without);

        for renamed in [snake_case(name), name.to_uppercase(), format!("{name} ")] {
            let mut document = self.document.clone();
            let members = document.pointer_mut(parent).and_then(Value::as_object_mut);
            let members = members.unwrap();
            let value = members.remove(name).unwrap();
            members.insert(renamed.clone(), value);
            self.push(
                &place,
                format!("renamed to {renamed:?}"),
                document.to_string(),
            );
        }
        // A `Value` cannot contain a member twice, so the second one is inserted into the text.
        let marker = format!("mark-{}", self.random.next());
        let mut document = self.document.clone();
        *document.pointer_mut(&place).unwrap() = marker.as_str().into();
        let text = document.to_string();
        let marked = format!("\"{marker}\"");
        for (what, second) in [
            ("twice", value.to_string()),
            ("twice, then null", "null".to_owned()),
            ("twice, then another", "\"AAAA\"".to_owned()),
        ] {
            let twice = format!("{value},\"{name}\":{second}");
            self.push(&place, what, text.replace(&marked, &twice));
            let snake = format!("{value},\"{}\":{second}", snake_case(name));
            let what = format!("{what}, in two spellings");
            self.push(&place, what, text.replace(&marked, &snake));
        }
    }

    fn change_element(&mut self, parent: &str, number: &str, elements: &[Value]) {
        let number: usize = number.parse().unwrap();
        let place = format!("{parent}/{number}");
        let mut change = |what: &str, change: &dyn Fn(&mut Vec<Value>)| {
            let mut list = elements.to_vec();
            change(&mut list);
            let mut document = self.document.clone();
            *document.pointer_mut(parent).unwrap() = Value::Array(list);
            let json = document.to_string();
            self.push(&place, what, json);
        };
        change("removed from the list", &|list| drop(list.remove(number)));
        change("twice in the list", &|list| {
            list.insert(number, list[number].clone())
        });
        change("33 times in the list", &|list| {
            let one = list[number].clone();
            list.extend(std::iter::repeat_n(one, 32));
        });
        if number > 0 {
            change("before the one ahead", &|list| {
                list.swap(number, number - 1)
            });
        }
    }

    /// The same place of another good bundle.
    fn splice(&mut self, place: &str, value: &Value) {
        if let Some(other) = self.other.pointer(place)
            && other != value
        {
            let other = other.clone();
            self.replace(place, "", "the other bundle's", other);
        }
    }

    fn change_text(&mut self, place: &str, text: &str) {
        if text.parse::<u64>().is_ok() {
            self.change_number(place, text);
        } else if place.ends_with("/envelope") {
            self.change_note(place, text);
        } else if let Ok(bytes) = from_base64(text)
            && bytes.len() > 3
            && !place.ends_with("/kind")
        {
            self.change_base64(place, text, &bytes);
            self.change_bytes(place, &bytes);
        } else {
            self.change_letters(place, text);
        }
    }

    fn change_letters(&mut self, place: &str, text: &str) {
        for number in 0..text.chars().count() {
            let mut letters: Vec<char> = text.chars().collect();
            letters[number] = if letters[number] == 'x' { 'y' } else { 'x' };
            let changed: String = letters.into_iter().collect();
            self.replace(
                place,
                "",
                format!("letter {number} changed"),
                changed.into(),
            );
        }
        for (what, changed) in [
            ("in upper case", text.to_uppercase()),
            ("with a space after it", format!("{text} ")),
            ("with a NUL after it", format!("{text}\0")),
            (
                "version 0.1",
                text.replace("0.3", "0.1").replace("0.0.2", "0.0.1"),
            ),
            (
                "version 0.2",
                text.replace("0.3", "0.2").replace("0.0.1", "0.0.2"),
            ),
            (
                "version 0.4",
                text.replace("0.3", "0.4").replace("0.1", "0.4"),
            ),
        ] {
            self.replace(place, "", what, changed.into());
        }
    }

    fn change_number(&mut self, place: &str, text: &str) {
        let number: u64 = text.parse().unwrap();
        for changed in [
            number.wrapping_add(1).to_string(),
            number.saturating_sub(1).to_string(),
            number.wrapping_add(600).to_string(),
            number.saturating_sub(600).to_string(),
            number.wrapping_add(1 << 32).to_string(),
            (number * 2 + 1).to_string(),
            "0".to_owned(),
            format!("0{text}"),
            format!("+{text}"),
            format!("-{text}"),
            format!(" {text}"),
            format!("{text}.0"),
            format!("{text}e0"),
            format!("0x{number:x}"),
            "9223372036854775807".to_owned(),
            "9223372036854775808".to_owned(),
            "18446744073709551616".to_owned(),
        ] {
            let what = format!("the text {changed:?}");
            self.replace(place, "", what, changed.into());
        }
        self.replace(place, "", "as a number", number.into());
        self.replace(place, "", "one more, as a number", (number + 1).into());
    }

    /// Other spellings of the same bytes, and texts that are not base64.
    fn change_base64(&mut self, place: &str, text: &str, bytes: &[u8]) {
        let unpadded = text.trim_end_matches('=');
        let middle = text.len() / 2;
        let (head, tail) = text.split_at(middle);
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for (what, changed) in [
            ("without padding", unpadded.to_owned()),
            ("with more padding", format!("{text}=")),
            (
                "in the URL's alphabet",
                text.replace('+', "-").replace('/', "_"),
            ),
            ("with a line break", format!("{head}\n{tail}")),
            ("with a space", format!("{head} {tail}")),
            ("with a foreign letter", format!("{head}*{tail}")),
            ("encoded twice", to_base64(text.as_bytes())),
            ("in hexadecimal", hexadecimal),
            ("with bits after the last byte", loose_bits(text)),
        ] {
            self.replace(place, "", what, changed.into());
        }
    }

    fn change_bytes(&mut self, place: &str, bytes: &[u8]) {
        for _ in 0..bytes.len().min(28) {
            let (position, bit) = (self.random.below(bytes.len()), self.random.below(8));
            let mut flipped = bytes.to_vec();
            flipped[position] ^= 1 << bit;
            let what = format!("bit {bit} of byte {position} flipped");
            self.replace(place, "!", what, to_base64(&flipped).into());
        }
        let zeros = vec![0; bytes.len()];
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        for (what, changed) in [
            ("a zero after it", [bytes, &[0]].concat()),
            ("a zero before it", [&[0], bytes].concat()),
            ("without the last byte", bytes[..bytes.len() - 1].to_vec()),
            ("without the first byte", bytes[1..].to_vec()),
            ("the first half", bytes[..bytes.len() / 2].to_vec()),
            ("twice over", [bytes, bytes].concat()),
            ("zeros", zeros),
            ("reversed", reversed),
        ] {
            self.replace(place, "!", what, to_base64(&changed).into());
        }
        if bytes.first() == Some(&0x30) {
            for (what, changed) in der_changes(bytes, &mut self.random) {
                self.replace(place, "!der", what, to_base64(&changed).into());
            }
        }
        if let Ok(inner) = serde_json::from_slice::<Value>(bytes)
            && inner.is_object()
        {
            self.change_json_inside(place, &inner);
        }
    }

    /// A log entry's body or a statement: JSON in base64.
    fn change_json_inside(&mut self, place: &str, inner: &Value) {
        let text = inner.to_string();
        let spaced = text.replacen("\":", "\": ", 1);
        let longer = format!("{text} ");
        for (what, changed) in [("another form of it", spaced), ("a space after it", longer)] {
            self.replace(place, "!json", what, to_base64(changed.as_bytes()).into());
        }
        for pointer in places(inner) {
            let value = inner.pointer(&pointer).unwrap();
            let mut changes = vec![("null", Value::Null), ("a list", Value::Array(Vec::new()))];
            if let Value::String(text) = value {
                changes.push(("a letter more", format!("{text}A").into()));
                changes.push(("empty", "".into()));
                changes.push(("in upper case", text.to_uppercase().into()));
                let mut letters: Vec<char> = text.chars().collect();
                let position = self.random.below(letters.len());
                if let Some(letter) = letters.get_mut(position) {
                    *letter = if *letter == 'b' { 'c' } else { 'b' };
                }
                let changed: String = letters.into_iter().collect();
                changes.push(("another letter", changed.into()));
            }
            for (what, value) in changes {
                let mut changed = inner.clone();
                *changed.pointer_mut(&pointer).unwrap() = value;
                let text = to_base64(changed.to_string().as_bytes());
                self.replace(place, &format!("!json{pointer}"), what, text.into());
            }
            let Some((parent, name)) = pointer.rsplit_once('/') else {
                continue;
            };
            let mut changed = inner.clone();
            if let Some(members) = changed.pointer_mut(parent).and_then(Value::as_object_mut) {
                members.remove(name);
                let text = to_base64(changed.to_string().as_bytes());
                self.replace(place, &format!("!json{pointer}"), "removed", text.into());
            }
        }
    }

    /// The lines of a signed note, and its signature lines.
    fn change_note(&mut self, place: &str, note: &str) {
        let lines: Vec<&str> = note.split('\n').collect();
        for number in 0..lines.len() {
            let mut change = |what: &str, lines: Vec<String>| {
                let what = format!("line {number} {what}");
                self.replace(place, "", what, lines.join("\n").into());
            };
            let owned = || {
                lines
                    .iter()
                    .map(|line| (*line).to_owned())
                    .collect::<Vec<_>>()
            };
            let mut fewer = owned();
            fewer.remove(number);
            change("removed", fewer);
            let mut twice = owned();
            twice.insert(number, lines[number].to_owned());
            change("twice", twice);
            for (what, text) in [
                ("with a space after it", format!("{} ", lines[number])),
                ("with a carriage return", format!("{}\r", lines[number])),
                ("with a letter after it", format!("{}x", lines[number])),
                ("with a digit before", format!("1{}", lines[number])),
                ("with a zero before", format!("0{}", lines[number])),
                (
                    "with hyphens for dashes",
                    lines[number].replace('\u{2014}', "-"),
                ),
                ("empty", String::new()),
            ] {
                let mut changed = owned();
                changed[number] = text;
                change(what, changed);
            }
        }
        self.change_signature_lines(place, note);
    }

    fn change_signature_lines(&mut self, place: &str, note: &str) {
        let Some((text, signatures)) = note.split_once("\n\n") else {
            return;
        };
        let line = signatures.lines().next().unwrap_or_default();
        let unknown = "\u{2014} witness.example AAAAAABo";
        for (what, changed) in [
            ("an unknown key's line last", format!("{note}{unknown}\n")),
            (
                "an unknown key's line first",
                format!("{text}\n\n{unknown}\n{signatures}"),
            ),
            ("no signature", format!("{text}\n\n")),
            (
                "an unknown key's line alone",
                format!("{text}\n\n{unknown}\n"),
            ),
            (
                "an extension line",
                format!("{text}\nextension\n\n{signatures}"),
            ),
            ("without the last newline", note.trim_end().to_owned()),
            (
                "twenty lines of unknown keys",
                format!("{note}{}", format!("{unknown}\n").repeat(20)),
            ),
        ] {
            self.replace(place, "", what, changed.into());
        }
        let Some((name, blob)) = line.rsplit_once(' ') else {
            return;
        };
        let bytes = from_base64(blob).unwrap();
        for _ in 0..24 {
            let (position, bit) = (self.random.below(bytes.len()), self.random.below(8));
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << bit;
            let changed = note.replace(line, &format!("{name} {}", to_base64(&flipped)));
            let what = format!("bit {bit} of byte {position} of the signature line flipped");
            self.replace(place, "", what, changed.into());
        }
    }
}

/// Every place in a document except the document itself, as JSON pointers.
pub fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        let mut visit = |name: &str, inner: &Value| {
            let name = name.replace('~', "~0").replace('/', "~1");
            let at = format!("{at}/{name}");
            walk(inner, &at, found);
            found.push(at);
        };
        match value {
            Value::Object(members) => members.iter().for_each(|(name, one)| visit(name, one)),
            Value::Array(elements) => {
                for (number, one) in elements.iter().enumerate() {
                    visit(&number.to_string(), one);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The same bytes with bits set after the last one, if the padding leaves room for some.
fn loose_bits(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let unpadded = text.trim_end_matches('=');
    let Some(last) = unpadded.chars().last().filter(|_| unpadded != text) else {
        return text.to_owned();
    };
    let value = ALPHABET.find(last).unwrap();
    let loose = ALPHABET.chars().nth(value | 1).unwrap();
    let padding = &text[unpadded.len()..];
    format!("{}{loose}{padding}", &unpadded[..unpadded.len() - 1])
}

/// An element of DER: where it starts, where its content starts, and where that ends.
#[derive(Clone, Copy)]
struct Element {
    start: usize,
    content: usize,
    end: usize,
}

/// The elements of a DER document, each with its enclosing elements, outermost first.
fn elements(der: &[u8]) -> Vec<(Element, Vec<Element>)> {
    fn walk(
        der: &[u8],
        mut at: usize,
        end: usize,
        around: &[Element],
        found: &mut Vec<(Element, Vec<Element>)>,
    ) {
        while let Some(element) = element_at(der, at, end) {
            found.push((element, around.to_vec()));
            if der[at] & 0x20 != 0 {
                let inside = [around, &[element]].concat();
                walk(der, element.content, element.end, &inside, found);
            }
            at = element.end;
        }
    }
    let mut found = Vec::new();
    walk(der, 0, der.len(), &[], &mut found);
    found
}

fn element_at(der: &[u8], start: usize, end: usize) -> Option<Element> {
    let first = usize::from(*der.get(start + 1)?);
    let (length, content) = if first < 0x80 {
        (first, start + 2)
    } else {
        let count = first & 0x7f;
        let bytes = der.get(start + 2..start + 2 + count)?;
        let length = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (length, start + 2 + count)
    };
    let stop = content.checked_add(length)?;
    (stop <= end && start < end).then_some(Element {
        start,
        content,
        end: stop,
    })
}

fn length_octets(length: usize) -> Vec<u8> {
    if length < 0x80 {
        return vec![u8::try_from(length).unwrap()];
    }
    let bytes: Vec<u8> = length
        .to_be_bytes()
        .into_iter()
        .skip_while(|byte| *byte == 0)
        .collect();
    let count = u8::try_from(bytes.len()).unwrap();
    [&[0x80 | count], bytes.as_slice()].concat()
}

/// Replaces an element and corrects the lengths of its enclosing elements.
fn rebuild(der: &[u8], element: Element, around: &[Element], replacement: &[u8]) -> Vec<u8> {
    let Some((outer, further)) = around.split_last() else {
        return [&der[..element.start], replacement, &der[element.end..]].concat();
    };
    let content = [
        &der[outer.content..element.start],
        replacement,
        &der[element.end..outer.end],
    ]
    .concat();
    let mended = [
        &[der[outer.start]],
        length_octets(content.len()).as_slice(),
        &content,
    ]
    .concat();
    rebuild(der, *outer, further, &mended)
}

/// Changes of some elements; most of them keep the document readable as BER.
fn der_changes(der: &[u8], random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let all = elements(der);
    let mut changes = Vec::new();
    for _ in 0..all.len().min(24) {
        let number = random.below(all.len());
        let (element, around) = &all[number];
        let whole = &der[element.start..element.end];
        let content = &der[element.content..element.end];
        let tag = der[element.start];
        let with = |tag: u8, length: &[u8], content: &[u8]| [&[tag], length, content].concat();
        let length = length_octets(content.len());
        let mut long = vec![0x84];
        long.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        let mut variants = vec![
            (
                "with a length that is not minimal",
                with(tag, &long, content),
            ),
            ("with another tag", with(tag ^ 1, &length, content)),
            ("twice", [whole, whole].concat()),
            ("removed", Vec::new()),
            ("with a NULL after it", [whole, &[5, 0]].concat()),
            ("empty", vec![tag, 0]),
            (
                "of indefinite length",
                [&[tag, 0x80], content, &[0, 0]].concat(),
            ),
        ];
        if tag == 2 {
            let padded = [&[0], content].concat();
            variants.push((
                "with a zero before",
                with(2, &length_octets(padded.len()), &padded),
            ));
        }
        if tag == 1 {
            variants.push(("true as one", vec![1, 1, 1]));
            variants.push(("turned", vec![1, 1, !content.first().copied().unwrap_or(0)]));
        }
        if tag == 3 {
            let mut bits = content.to_vec();
            if let Some(unused) = bits.first_mut() {
                *unused = 8;
            }
            variants.push(("with eight unused bits", with(3, &length, &bits)));
        }
        for (what, replacement) in variants {
            let what = format!("element {number} {what}");
            changes.push((what, rebuild(der, *element, around, &replacement)));
        }
    }
    changes
}
