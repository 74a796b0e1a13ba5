from hypothesis import settings

from .test_importer import test_escaped_text_shows_what_was_typed as a
from .test_properties import test_edit_distance as e
from .test_properties import test_slugs as d
from .test_sentences import test_shortening_cuts_at_boundaries as b
from .test_sentences import test_summaries_fit as c

big = settings(max_examples=15000, deadline=None)
test_a, test_b, test_c, test_d, test_e = map(big, (a, b, c, d, e))
