"""Writes a language model that knows which word may follow which, and nothing else.

One layer, whose weights are zero: what comes out of it is the last token, as a one in its place, and
the output weights are a table of what may follow that. So answers are readable, differ from one
another, and end by themselves. A smile is made of bytes that only together are a character.
"""

import sys

import gguf
import numpy as np

WORDS = {
    "there": "are were was".split(),
    "are": "seven twelve many few some".split(),
    "were": "nine several none".split(),
    "was": "one half nothing".split(),
    "seven": "left apples and".split(),
    "twelve": "left nails and".split(),
    "many": "left letters".split(),
    "few": "left eggs".split(),
    "some": "more left".split(),
    "nine": "left stamps".split(),
    "several": "left tiles".split(),
    "none": "left —".split(),
    "one": "left pear".split(),
    "half": "of left".split(),
    "nothing": "left —".split(),
    "of": "twelve seven them".split(),
    "them": "left —".split(),
    "more": "than and".split(),
    "than": "seven twelve nine".split(),
    "apples": "left and".split(),
    "nails": "left and".split(),
    "letters": "left “so”".split(),
    "eggs": "left and".split(),
    "stamps": "left and".split(),
    "tiles": "left €".split(),
    "pear": "left and".split(),
    "and": "there nine seven".split(),
    "—": "there so".split(),
    "“so”": "there".split(),
    "€": "and".split(),
    "so": "there".split(),
    "left": [None, "and", "—", "☺"],
}
BEGINNINGS = ["there", "so", "“so”"]
SMILE = "😀".encode()
SPACE = "▁"
CONTEXT = 4096
WIDTH = 320
HEADS = 10
FEED_FORWARD = 32
# How much likelier a word that may follow is than any other: e to the power of this times √WIDTH.
FOLLOWS = 1.5

kinds = gguf.TokenType
tokens = [("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)]
END = 2
tokens += [(f"<0x{byte:02X}>", kinds.BYTE) for byte in range(256)]
BYTES = 3
ids = {}
for word in WORDS:
    ids[word] = len(tokens)
    tokens.append((SPACE + word, kinds.NORMAL))
assert len(tokens) <= WIDTH

follows = np.zeros((len(tokens), WIDTH), dtype=np.float32)


def may_follow(token, others):
    for other in others:
        # The smile's first byte stands for it; the end of an answer for None.
        which = END if other is None else BYTES + SMILE[0] if other == "☺" else ids[other]
        follows[which, token] += FOLLOWS


for token in range(BYTES + 256):
    may_follow(token, BEGINNINGS)
for first, second in zip(SMILE, SMILE[1:]):
    follows[:, BYTES + first] = 0
    follows[BYTES + second, BYTES + first] = FOLLOWS
for word, others in WORDS.items():
    may_follow(ids[word], others)


def zeros(*shape):
    return np.zeros(shape, dtype=np.float32)


writer = gguf.GGUFWriter(sys.argv[1], "llama")
writer.add_context_length(CONTEXT)
writer.add_embedding_length(WIDTH)
writer.add_block_count(1)
writer.add_feed_forward_length(FEED_FORWARD)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_layer_norm_rms_eps(1e-6)
writer.add_rope_dimension_count(WIDTH // HEADS)
writer.add_vocab_size(len(tokens))
writer.add_tokenizer_model("llama")
writer.add_token_list([text for text, _ in tokens])
writer.add_token_scores([0.0] * len(tokens))
writer.add_token_types([kind for _, kind in tokens])
writer.add_bos_token_id(1)
writer.add_eos_token_id(END)
writer.add_unk_token_id(0)
writer.add_chat_template("{% for message in messages %}{{ message.content }} {% endfor %}")
writer.add_tensor("token_embd.weight", np.eye(len(tokens), WIDTH, dtype=np.float32))
writer.add_tensor("blk.0.attn_norm.weight", np.ones(WIDTH, dtype=np.float32))
for name in ("q", "k", "v", "output"):
    writer.add_tensor(f"blk.0.attn_{name}.weight", zeros(WIDTH, WIDTH))
writer.add_tensor("blk.0.ffn_norm.weight", np.ones(WIDTH, dtype=np.float32))
writer.add_tensor("blk.0.ffn_gate.weight", zeros(FEED_FORWARD, WIDTH))
writer.add_tensor("blk.0.ffn_up.weight", zeros(FEED_FORWARD, WIDTH))
writer.add_tensor("blk.0.ffn_down.weight", zeros(WIDTH, FEED_FORWARD))
writer.add_tensor("output_norm.weight", np.ones(WIDTH, dtype=np.float32))
writer.add_tensor("output.weight", follows)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
