"""What leaves this room: credit and contrasts for every decision, counted over all traces as sequences of codes.

A trace of ten steps becomes some twenty bytes (`coding`); from then on nothing is as large as the steps were. The
table of states gives values (`values`) and a first look at every contrast (`screen`); the few that stand out are
matched trace by trace (`confirm`) and put into words (`findings`).
"""
