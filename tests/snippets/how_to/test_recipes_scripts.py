"""Recipes that `make doctest` does not run: what verl makes of their settings (`make test-recipe` runs them)."""

from pathlib import Path

import pytest

from tests.snippets.how_to.test_verl_settings import compose, expand

FULLY_ASYNC = "verl.experimental.fully_async_policy.fully_async_main"


@pytest.mark.block("how_to/recipes/ppo.sh", "critic", "launch", evidence="checked")
def test_ppo_has_a_critic(tmp_path: Path) -> None:
    arguments, code = expand(tmp_path, "trainer.total_epochs=2", recipe="ppo", MODEL="m", GPUS="4")
    assert code == 0
    assert arguments[:3] == ["python3", "-m", "verl.trainer.main_ppo"]
    config = compose(arguments[3:])
    from verl.trainer.ppo.utils import need_critic

    assert need_critic(config)
    assert (config.algorithm.adv_estimator, config.actor_rollout_ref.rollout.n) == ("gae", 1)
    assert (config.critic.model.path, config.critic.strategy) == ("m", "fsdp2")
    assert config.critic.use_dynamic_bsz and config.critic.ppo_mini_batch_size == 256, "as the actor, by default"
    assert (config.trainer.n_gpus_per_node, config.trainer.total_epochs) == (4, 2)
    assert config.actor_rollout_ref.rollout.max_num_seqs == 256, "the shared settings"


@pytest.mark.block("how_to/recipes/fully_async.sh", "split", "launch", evidence="checked")
@pytest.mark.parametrize(("sizes", "train", "rollout"), [({}, 4, 4), ({"GPUS": "8", "ROLLOUT_GPUS": "6"}, 2, 6)])
def test_half_of_the_gpus_generate(tmp_path: Path, sizes: dict[str, str], train: int, rollout: int) -> None:
    arguments, code = expand(tmp_path, recipe="fully_async", **sizes)
    assert code == 0
    assert arguments[:3] == ["python3", "-m", FULLY_ASYNC]
    config = compose(arguments[3:], "experimental/fully_async_policy", "fully_async_ppo_trainer")
    assert (config.trainer.n_gpus_per_node, config.rollout.n_gpus_per_node) == (train, rollout)
    # What verl asserts of an asynchronous run, in FullyAsyncRollouter.__init__.
    assert not config.actor_rollout_ref.hybrid_engine
    assert (config.data.train_batch_size, config.data.gen_batch_size) == (0, 1)
    assert config.actor_rollout_ref.rollout.calculate_log_probs
    assert config.async_training.trigger_parameter_sync_step >= 1
    assert (config.actor_rollout_ref.rollout.free_cache_engine, config.actor_rollout_ref.rollout.enable_sleep_mode) == (
        False,
        False,
    )
    assert config.actor_rollout_ref.rollout.gpu_memory_utilization == 0.85
