"""Misbehaviour as a feature: named ways in which our endpoint sends what it should not.

`row` says what an impairment is, `craft` makes its octets, `table` joins the other files, which hold the rows by
subject. The one place that looks for them is `lab.ikev2.impaired`.
"""
