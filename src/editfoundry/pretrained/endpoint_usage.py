"""What a run has asked of an endpoint so far, and whether that is all it may."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from editfoundry.errors import BadInputError
from editfoundry.pretrained.chat import ChatAnswer, Prices


@dataclass
class EndpointUsage:
    """Counts of the requests that were answered, from any thread."""

    prices: Prices | None
    max_cost: float
    """0 is any sum."""
    num_requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def cost(self) -> float:
        """By the prices; 0 without any."""
        return 0.0 if self.prices is None else self.prices.cost(self.prompt_tokens, self.completion_tokens)

    def add(self, answer: ChatAnswer) -> None:
        """Count an answer."""
        with self._lock:
            self.num_requests += 1
            self.prompt_tokens += answer.prompt_tokens
            self.completion_tokens += answer.completion_tokens

    def check_budget(self) -> None:
        """Raise BadInputError where the run has cost what it may."""
        if self.max_cost and self.cost >= self.max_cost:
            raise BadInputError(
                f"{self.num_requests} requests have cost {self.cost:.4g}, and max_cost is {self.max_cost:g}: "
                "raise it in the profile to go on"
            )
