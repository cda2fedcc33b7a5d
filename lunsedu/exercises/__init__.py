"""The checks that the classroom uses: each runs a student's function and answers in words.

>>> from lunsedu.exercises import check_softmax
>>> check_softmax(lambda scores: scores / scores.sum(axis=-1, keepdims=True)).mistake
'no-exp'

A check never raises for what the student wrote, and never changes the student's arrays. Shown as
the last line of a cell it explains itself; it is true when the exercise is solved, so that grading
is `assert check, check`.

Read in this order: the folder judge/ (how an answer is run and compared), then a file of checks for
each topic, in the order of the lessons: tokenizer, counting, truth, softmax, norm, rope, attention,
loss, block, adamw, training, insideout, storage, interval, paired, probe, patch, reward, adapter,
scale. Then, for teachers, the folder grading/ and the command grade.py.

What is not here: the exercises' texts (notebooks/exercises), solutions (notebooks/solutions), wrong
answers on purpose (tests/exercises).
"""

from lunsedu.exercises.adamw_checks import check_adamw_step
from lunsedu.exercises.adapter_checks import (
    check_adapter_size,
    check_answer_targets,
    check_low_rank_backward,
    check_merge_adapter,
)
from lunsedu.exercises.attention_checks import check_attention, check_attention_backward
from lunsedu.exercises.block_checks import check_block
from lunsedu.exercises.counting_checks import (
    check_bigram_cross_entropy,
    check_bigram_probabilities,
    check_count_bigrams,
    check_perplexity,
)
from lunsedu.exercises.insideout_checks import check_branch, check_expand, check_score
from lunsedu.exercises.interval_checks import check_interval
from lunsedu.exercises.judge.check import Check
from lunsedu.exercises.judge.predictions import check_prediction
from lunsedu.exercises.loss_checks import check_cross_entropy, check_embedding_backward
from lunsedu.exercises.norm_checks import check_rmsnorm, check_rmsnorm_backward
from lunsedu.exercises.paired_checks import check_disagreements, check_paired_difference
from lunsedu.exercises.patch_checks import check_patched_run, check_without_head
from lunsedu.exercises.probe_checks import check_control_task, check_ridge_probe
from lunsedu.exercises.reward_checks import (
    check_advantages,
    check_mended_reward,
    check_pass_at_k,
    check_policy_gradient,
)
from lunsedu.exercises.rope_checks import check_rope, check_rope_backward
from lunsedu.exercises.scale_checks import (
    check_accumulated_gradient,
    check_mean_over_ranks,
    check_training_bytes,
)
from lunsedu.exercises.softmax_checks import (
    check_causal_mask,
    check_softmax,
    check_softmax_backward,
)
from lunsedu.exercises.storage_checks import check_fingerprint, check_forgetting, check_mix
from lunsedu.exercises.tokenizer_checks import check_count_pairs, check_encode, check_merge
from lunsedu.exercises.training_checks import check_clip_gradient, check_learning_rate
from lunsedu.exercises.truth_checks import check_back_off, check_gap

__all__ = [
    "check_mean_over_ranks",
    "check_training_bytes",
    "check_back_off",
    "check_block",
    "check_gap",
    "Check",
    "check_accumulated_gradient",
    "check_adamw_step",
    "check_adapter_size",
    "check_advantages",
    "check_answer_targets",
    "check_attention",
    "check_attention_backward",
    "check_bigram_cross_entropy",
    "check_bigram_probabilities",
    "check_branch",
    "check_causal_mask",
    "check_clip_gradient",
    "check_control_task",
    "check_count_bigrams",
    "check_count_pairs",
    "check_cross_entropy",
    "check_disagreements",
    "check_embedding_backward",
    "check_encode",
    "check_expand",
    "check_fingerprint",
    "check_forgetting",
    "check_interval",
    "check_learning_rate",
    "check_low_rank_backward",
    "check_merge",
    "check_merge_adapter",
    "check_mended_reward",
    "check_mix",
    "check_paired_difference",
    "check_patched_run",
    "check_pass_at_k",
    "check_perplexity",
    "check_policy_gradient",
    "check_prediction",
    "check_ridge_probe",
    "check_rmsnorm",
    "check_rmsnorm_backward",
    "check_rope",
    "check_rope_backward",
    "check_score",
    "check_softmax",
    "check_softmax_backward",
    "check_without_head",
]
