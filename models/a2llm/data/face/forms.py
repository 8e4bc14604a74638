"""The forms of communicative functions: the moves with which people show what they are doing with a phrase.

Directions and timing are those of the sources that each form names; sizes are set so that a form can be read on a head of natural
size and stays inside what people do (nods of 3 to 7 degrees, shakes of 5 to 9, after Hadar et al. 1983). Radians for the head
(pitch down, yaw to the left and roll to the right shoulder are positive), shares of a blendshape for the face.
"""

from a2llm.data.face import social, statements
from a2llm.data.face.place import Form

_OWN = (
    *(statements.inform, statements.affirm, statements.negate, statements.agree, statements.disagree, statements.unsure),
    *(statements.contrast, statements.emphasise, statements.intensify, statements.include, statements.recall),
    *(statements.quote, statements.joke, statements.irony),
    *(social.ask, social.request, social.offer, social.react, social.empathise, social.comfort, social.praise, social.thank),
    *(social.apologise, social.greet, social.farewell, social.address, social.warn, social.relieve),
)
FORMS: dict[str, Form] = {form.__name__: form for form in _OWN} | {"list": statements.list_item, "wish": social.hope}
