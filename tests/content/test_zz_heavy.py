from hypothesis import settings
from .test_importer import test_escaped_text_shows_what_was_typed as a
from .test_sentences import test_shortening_cuts_at_boundaries as b, test_summaries_fit as c
from .test_properties import test_slugs as d, test_edit_distance as e
big = settings(max_examples=15000, deadline=None)
test_a, test_b, test_c, test_d, test_e = map(big, (a, b, c, d, e))
