"""python -m lunsedu.grammar: what is known of the languages, or their two corpora made again."""

from lunsedu.grammar import main

main()
