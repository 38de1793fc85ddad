//! The value of any answer is read without a panic, within bounded memory, and as it was written.
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dset_core::schema::Schema;
use dset_core::structured::{Json, ParsedFrom, read};
use libfuzzer_sys::fuzz_target;

/// Bytes of memory that reading may take for each byte of an answer, and whatever the answer.
const BYTES_PER_BYTE_MAX: usize = 256;
const BYTES_MAX: usize = 256 * 1024;

/// Counts what is allocated, and the most that was at once.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A schema with a union, a pattern and a reference to itself.
fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let schema = r##"{"type": "object", "required": ["label"], "properties": {
            "label": {"enum": ["yes", "no"]}, "n": {"type": ["number", "null"], "multipleOf": 0.5},
            "word": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 9},
            "children": {"type": "array", "items": {"$ref": "#"}, "uniqueItems": true}}}"##;
        Schema::new(serde_json::from_str(schema).expect("it is JSON")).expect("it is a schema")
    })
}

fuzz_target!(|bytes: &[u8]| {
    let schema = schema();
    let answer = String::from_utf8_lossy(bytes);
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let reading = read(&answer);
    let taken = MOST.load(Relaxed) - before;
    assert!(
        taken <= BYTES_MAX + BYTES_PER_BYTE_MAX * answer.len(),
        "{taken} bytes for an answer of {}",
        answer.len()
    );
    let Ok(parsed) = reading else { return };
    let text = parsed.value.to_string();
    assert_eq!(Json::parse(&text).as_ref(), Ok(&parsed.value), "what is written is what was read");
    let again = read(&text).expect("a value alone is read");
    assert_eq!(again.from, ParsedFrom::Whole);
    assert_eq!(again.value, parsed.value, "a value means the same wherever it stood");
    let reasons = schema.reasons(&parsed.value);
    assert_eq!(reasons, schema.reasons(&again.value), "a value fits wherever it stood, or nowhere");
});
