//! Further fields of the request: sent as they are, a part of what is asked, and refused where dset
//! sets them itself.

use crate::common::{Folder, Service};
use serde_json::json;

#[test]
fn fields_are_sent_and_are_a_part_of_what_is_asked() {
    let folder = Folder::with("question\nWhy?\n");
    let service = Service::keeping("deepseek");
    service.run(&folder, &[]).exits(0);
    let fields = ["--param", "top_p=0.9", "--param", "stop=[\"\\n\\n\"]"];
    service.run(&folder, &fields).exits(2).says("param was `not set` and is");
    service.run(&folder, &[&fields[..], &["--again"]].concat()).exits(0);
    folder.write("dset.toml", "[param]\ntop_p = 0.9\nstop = [\"\\n\\n\"]\n");
    service.run(&folder, &[]).exits(0);
    let sent = service.requests();
    assert_eq!(sent.len(), 2, "a file says what the flags said");
    assert_eq!((&sent[0]["top_p"], &sent[0]["stop"]), (&json!(null), &json!(null)));
    assert_eq!((&sent[1]["top_p"], &sent[1]["stop"]), (&json!(0.9), &json!(["\n\n"])));
    // A flag is heard over the file, field by field.
    folder.dset(&["config", "show"]).exits(0).tells(r#"{"stop":["\n\n"],"top_p":0.9}"#);
    service.run(&folder, &["--param", "top_p=1", "--again"]).exits(0);
    let last = service.requests().pop().unwrap();
    assert_eq!((&last["top_p"], &last["stop"]), (&json!(1), &json!(["\n\n"])));
    folder.dset(&["config", "set", "param", "seed=7"]).exits(0);
    assert!(folder.read("dset.toml").ends_with("seed = 7\n"));
}

#[test]
fn what_dset_sets_itself_is_refused_before_anything_is_asked() {
    let folder = Folder::with("question\nWhy?\n");
    let service = Service::friendly();
    for (field, says) in [
        ("temperature=1", "Say it with `--temperature`"),
        ("response_format={\"type\":\"json_object\"}", "Say it with `--schema`"),
        ("n=3", "Say it with `--samples`"),
        ("user=me", "is not JSON"),
        ("tools=[]", "no answer"),
        ("user=\"sk-0123456789abcdef\"", "holds a key"),
    ] {
        service.run(&folder, &["--param", field]).exits(2).says(says);
    }
    folder.write("dset.toml", "model = 'm'\n[param]\nmax_tokens = 5\n");
    service
        .run(&folder, &[])
        .exits(2)
        .says("dset.toml, line 3: `max_tokens` is set by --max-tokens");
    folder.write("dset.toml", "[param]\nuntil = 2026-01-01\n");
    service.run(&folder, &[]).exits(2).says("JSON has no dates");
    assert_eq!(service.stats().asked, 0);
}
