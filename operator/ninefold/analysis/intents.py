"""Intents where the user names none: clusters of what people first ask for, and the same clusters in every cycle.

Bag of words hashed to a fixed space (so that a trace keeps a few integers instead of its text), tf-idf, latent
semantic analysis, k-means, k by silhouette: the recipe of the scikit-learn user guide ("Clustering text documents
using k-means"), with every seed fixed. What is kept of a cluster is the centre of its members in the space of words, so
any later trace is placed by the nearest centre alone, wherever and whenever it is read.

A model that still covers what is asked is kept as it is. Learned anew, a cluster keeps the name of the old one that it
is most like: a name, once given, never moves to something else.
"""

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ninefold.api.artifacts import canonical, sha256

SPACE = 2**14
"""Places of hashed words. Two of a thousand common words meet in one with a chance of 3 % each: harmless here."""
MOST_TERMS = 48
"""Words of a message that are kept: the first ones, where a request is made."""
MOST_TEXT = 4_000
"""Characters of a message that are looked at."""
INTENT = "intent"
"""What messages call a key that no metadata has: clusters are strata, and no condition of an edit."""
FEWEST = 200
"""Messages below which nothing is clustered."""
MOST = 4_000
"""Messages that a model is learned from."""
CLUSTERS = (2, 3, 4, 5, 6, 8, 10, 12, 16)
APART = 0.06
"""Silhouette below which there are no clusters to speak of: everything is one intent."""
AS_GOOD = 0.02
"""Silhouette by which fewer clusters may fall short of the best number."""
CENTRE = 64
"""Words that a centre keeps, the heaviest."""
COVERED = 0.9
"""Share of messages near a centre of the old model from which it is kept."""
SAME = 0.5
"""Cosine of two centres from which the new cluster is the old one."""
WIDELY = 10
"""Tasks that must share a word before it may stand in a name: what fewer say may be a person's."""

_WORD = re.compile(r"[^\W\d_]{3,}")

Terms = NDArray[np.uint16]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Intents:
    """A model: `centres` is (clusters, SPACE), rows of length 1; `idf` weighs the words; `near` is the cosine with the
    nearest centre that all but a twentieth of the messages reached which it was learned from."""

    names: tuple[str, ...]
    centres: Floats
    idf: Floats
    near: float
    last: int = 0

    def of(self, terms: Sequence[Terms]) -> list[str]:
        """The intent of each message; '' where there are no clusters, or no words."""
        if not self.names:
            return [""] * len(terms)
        closeness, place = self.nearest(terms)
        return [self.names[p] if c > 0 else "" for c, p in zip(closeness, place, strict=True)]

    def nearest(self, terms: Sequence[Terms]) -> tuple[Floats, NDArray[np.int64]]:
        """Cosine with the nearest centre, and which that is."""
        weights = np.asarray(_weighted(terms, self.idf) @ self.centres.T)
        return weights.max(1), weights.argmax(1)

    def to_bytes(self) -> bytes:
        centres = [_sparse(c) for c in self.centres]
        used = sorted({int(i) for c in centres for i in c})
        idf = {str(i): round(float(self.idf[i]), 6) for i in used}
        # Other words' weights only lengthen a message; their mean is as good.
        other = round(float(np.delete(self.idf, used).mean()), 6) if len(self.idf) > len(used) else 0.0
        return canonical(
            {"names": self.names, "centres": centres, "idf": idf, "other": other, "near": self.near, "last": self.last}
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Intents":
        """Read a model back. Raises ValueError for anything else."""
        try:
            found = json.loads(data)
            idf = np.full(SPACE, float(found["other"]))
            for i, weight in found["idf"].items():
                idf[int(i)] = float(weight)
            centres = np.zeros((len(found["names"]), SPACE))
            for row, sparse in zip(centres, found["centres"], strict=True):
                for i, weight in sparse.items():
                    row[int(i)] = float(weight)
            return cls(tuple(map(str, found["names"])), centres, idf, float(found["near"]), int(found["last"]))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise ValueError("this is no model of intents") from None


NOTHING = Intents((), np.zeros((0, SPACE)), np.ones(SPACE), 0.0)
"""The model of agents that are asked for one kind of thing."""


def terms(text: str) -> Terms:
    """The distinct words of a message as places, in ascending order; numbers and short words say nothing of intent."""
    return terms_of([text])[0]


def terms_of(texts: Sequence[str]) -> list[Terms]:
    """The words of each message; a text that comes often is read once."""
    once = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    found = _hashing().transform(once) if once else None
    read = [] if found is None else np.split(found.indices.astype(np.uint16), found.indptr[1:-1])
    return [read[once[text]] for text in texts]


def with_intents(rows: pa.Table, model: Intents) -> pa.Table:
    """Rows with the columns `intent` and `asked`, their intents as the model names them, where it names any."""
    if not model.names:
        return rows
    asked = rows["asked"].combine_chunks()
    places, ends = asked.flatten().to_numpy(), np.cumsum(pc.list_value_length(asked).to_numpy())
    found = model.of(np.split(places, ends[:-1])) if len(rows) else []
    return rows.set_column(rows.schema.get_field_index("intent"), "intent", pa.array(found, pa.string()))


def learn(messages: Iterable[tuple[str, str]], previous: Intents | None = None) -> Intents:
    """A model of (task, first message) pairs; the previous one where it still covers what is asked.

    The result depends on the set of messages, not on their order.
    """
    own = sorted(set(messages), key=_order)[:MOST]
    if len(own) < FEWEST:
        return previous or NOTHING
    found = [terms(text) for _, text in own]
    if previous is not None and previous.names:
        closeness, _ = previous.nearest(found)
        if float((closeness >= previous.near).mean()) >= COVERED:
            return previous
    idf = _idf(found)
    labels = _labels(_weighted(found, idf))
    if labels is None:
        return previous or NOTHING
    centres = _centres(_weighted(found, idf), labels)
    old = previous or NOTHING
    names, last = _names(centres, old, _telling(own, labels))
    model = Intents(names, centres, idf, 0.0, last)
    return replace(model, near=float(np.quantile(model.nearest(found)[0], 0.05)))


def _labels(weights: Any) -> NDArray[np.int64] | None:
    """Cluster of each message; None where no number of clusters sets them apart."""
    from sklearn.cluster import KMeans  # noqa: PLC0415  (slow to import, and seldom needed)
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415
    from sklearn.metrics import silhouette_score  # noqa: PLC0415
    from sklearn.preprocessing import normalize  # noqa: PLC0415

    kinds = len({weights.indices[a:b].tobytes() for a, b in itertools.pairwise(weights.indptr)})
    size = min(50, weights.shape[0] - 1, len(set(weights.indices)) - 1)
    if kinds <= CLUSTERS[0] or size < 1:
        return None
    space = normalize(TruncatedSVD(size, random_state=0).fit_transform(weights))
    tried = []
    for k in CLUSTERS:
        if k * 20 > len(space) or k >= kinds:
            break
        labels = KMeans(k, n_init=2, random_state=0).fit_predict(space)
        if len(set(labels.tolist())) == k:
            tried.append((float(silhouette_score(space, labels, sample_size=2_000, random_state=0)), labels))
    best = max((score for score, _ in tried), default=0.0)
    if best < APART:
        return None
    # The fewest that are about as good: each more is one more stratum in which less can be shown.
    return next(np.asarray(labels, np.int64) for score, labels in tried if score >= best - AS_GOOD)


def _idf(found: Sequence[Terms]) -> Floats:
    """Smoothed inverse document frequency, as scikit-learn's TfidfTransformer defines it."""
    seen = np.bincount(np.concatenate(found).astype(np.int64), minlength=SPACE) if found else np.zeros(SPACE)
    weights: Floats = np.log((1 + len(found)) / (1 + seen)) + 1
    return weights


def _weighted(found: Sequence[Terms], idf: Floats) -> Any:
    """Messages as rows of length 1 over the words (a sparse matrix)."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415
    from sklearn.preprocessing import normalize  # noqa: PLC0415

    sizes = np.array([len(t) for t in found], np.int64)
    places = np.concatenate(found).astype(np.int64) if len(found) else np.zeros(0, np.int64)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    return normalize(csr_matrix((idf[places], places, starts), shape=(len(found), SPACE)))


def _centres(weights: Any, labels: NDArray[np.int64]) -> Floats:
    out = np.zeros((int(labels.max()) + 1, SPACE))
    for k, row in enumerate(out):
        mean = np.asarray(weights[labels == k].mean(0)).ravel()
        top = np.argsort(-mean, kind="stable")[:CENTRE]
        row[top] = mean[top] / np.linalg.norm(mean[top])
    return out


def _names(centres: Floats, old: Intents, words: Mapping[int, Sequence[str]]) -> tuple[tuple[str, ...], int]:
    """Old names for the clusters that are the old ones, new numbers for the others."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    names: dict[int, str] = {}
    if old.names:
        alike = centres @ old.centres.T
        for new, was in zip(*linear_sum_assignment(-alike), strict=True):
            if alike[new, was] >= SAME:
                names[int(new)] = old.names[was]
    last = old.last
    for k in range(len(centres)):
        if k not in names:
            last += 1
            names[k] = " ".join([f"intent-{last}", *words.get(k, [])])
    return tuple(names[k] for k in range(len(centres))), last


def _telling(own: Sequence[tuple[str, str]], labels: NDArray[np.int64]) -> dict[int, list[str]]:
    """Two words that set each cluster apart, among those that many tasks share."""
    tasks: defaultdict[str, set[str]] = defaultdict(set)
    inside: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for (task, text), label in zip(own, labels, strict=True):
        for word in set(words(text)):
            tasks[word].add(task)
            inside[int(label)][word] += 1
    whole = Counter[str]()
    for counter in inside.values():
        whole.update(counter)
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # noqa: PLC0415

    out = {}
    for label, counter in inside.items():
        shared = [w for w in counter if len(tasks[w]) >= WIDELY and w not in ENGLISH_STOP_WORDS]
        shared.sort(key=lambda w: (-(counter[w] ** 2) / whole[w], w))
        out[label] = shared[:2]
    return out


def _order(message: tuple[str, str]) -> str:
    """An order that has nothing to do with what a message says."""
    return sha256(canonical(list(message)))


def _sparse(centre: Floats) -> dict[str, float]:
    return {str(int(i)): round(float(centre[i]), 6) for i in np.flatnonzero(centre)}


@cache
def _hashing() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415

    return HashingVectorizer(
        n_features=SPACE, alternate_sign=False, binary=True, norm=None, tokenizer=words, token_pattern=None
    )


def words(text: str) -> list[str]:
    """The first distinct words of a message, in lower case."""
    return list(dict.fromkeys(_WORD.findall(text[:MOST_TEXT].lower())))[:MOST_TERMS]
