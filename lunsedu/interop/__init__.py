"""Other makers' models: a Lunsformter is a Llama, so others can run ours and we theirs.

Read in this order: llama_weights.py (the same numbers under other names), llama_config.py
(its sizes), huggingface.py (folders of Hugging Face transformers, in and out), gguf_file.py (GGUF
files of llama.cpp, in), gguf_reading.py (their bytes), gguf_out.py (and out).

What is not here: our own saves (files/storage.py, lm.py), the tokenizer's file (tokenizer/).
"""
