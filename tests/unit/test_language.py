"""A page opens in the language that is asked for, else in the one the browser likes best of those that there are."""

import pytest

from chatcensus.dashboard.language import chosen_language


@pytest.mark.parametrize(
    ("asked", "header", "language"),
    [
        pytest.param("", "", "en", id="nothing is said"),
        pytest.param("ja", "en", "ja", id="asked for"),
        pytest.param("JA-jp", "en", "ja", id="asked for with a country"),
        pytest.param("fr", "ja", "ja", id="asked for and not there"),
        pytest.param("", "ja-JP,ja;q=0.9,en;q=0.8", "ja", id="as a Japanese browser says it"),
        pytest.param("", "en;q=0.8, ja ;q=0.9", "ja", id="by weight, not by place"),
        pytest.param("", "fr,de;q=0.9,ja;q=0.1", "ja", id="the only one that is there"),
        pytest.param("", "ja;q=0,en;q=0.1", "en", id="refused"),
        pytest.param("", "*", "en", id="any"),
        pytest.param("", "ja;q=nan,en", "en", id="no weight"),
        pytest.param("", "ja;q=١", "en", id="digits of another script"),
        pytest.param("", "ja;q=1;q=2,;;,=", "en", id="nonsense"),
        pytest.param("", ",".join(["x;q=."] * 9000), "en", id="long nonsense"),
    ],
)
def test_a_page_opens_in(asked: str, header: str, language: str):
    assert chosen_language(asked, header) == language
