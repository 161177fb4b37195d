"""Trainings that are killed at random moments and go on: nothing is lost, and what comes out is the same to the bit.

    specs/     what is trained: dropout, batch norm, schedules, early stopping, several programs, sources and models,
               recurrence, texts, examples that are drawn anew
    killing    a training in a process of its own, killed, taken up again, and compared with one that was not
    cost       what keeping the state takes of a step's time

``python -m benchmarks.kills`` does it and writes docs/kills.md.
"""
