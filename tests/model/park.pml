/*
 * Workers that go to sleep against who makes tasks (sched/park.c): a worker
 * that is busy, or a thread from outside.
 *
 * Goal:   when nothing moves any more, no task lies in a queue unless all
 *         workers are busy.
 * Method: two workers look for tasks, park, and are busy for ever with the
 *         first they get. The maker is a third worker, whose pushes stand in a
 *         buffer that empties whenever it likes, or not a worker at all, with
 *         pushes that all can see at once. While any worker is awake, that may
 *         be as many as may be (sched/crowd.c changes the limit at any time):
 *         then none is woken, and who parks does not look again. (Who is one
 *         too many does not look at all: as if the task came right after its
 *         look.) A sleeper whose time comes gets up: that can move whenever
 *         there is a task and, a few times, when there is none. What it takes
 *         then is another matter (crowd.c): here nobody is to sleep for ever.
 *         Timers and slots are found by the same look.
 *
 * mutant NO_SECOND_LOOK: the parker does not look after its announcement
 * mutant NO_LOOK: the submitter does not look for sleepers
 * mutant BUSY_SEARCHER: a worker that found a task stays counted as searching
 * mutant NO_HEIR: a sleeper that begins to run sees to no other
 * mutant NEVER_UP: a sleeper does not look around while others are awake
 * mutant BOTH_RELY: sleepers rely on each other without looking when they get up
 * mutant STALE_UP: the parker leaves in place when it got up last time
 * mutant EARLY_LOOK: the parker looks who sleeps before its announcement
 */
#define TASKS 2
#define FALSE_ALARMS 1

byte queue;    /* tasks that all can see */
byte buffered; /* tasks that only the maker can see */
bool inside;   /* the maker is a worker */
bool parked[3], permit[3], up[3];
byte searching;
byte busy;     /* workers that found a task */
byte alarms;
bool made;     /* the maker has done all it does, and is busy */

/* Awake workers, given which of the two sleep. */
#define AWAKE(p1, p2) (inside + !(p1) + !(p2))

/* Whether those are as many as may be. */
inline look_crowded()
{
    if
    :: AWAKE(p1, p2) > 0 -> crowded = true
    :: crowded = false
    fi
}

inline flush()
{
    atomic {
        queue = queue + buffered;
        buffered = 0
    }
}

/* Clears one set bit of `parked`, if there is one, and counts its searcher. */
inline wake_one()
{
    atomic {
        if
        :: parked[1] -> parked[1] = false; searching++; permit[1] = true
        :: else ->
            if
            :: parked[2] -> parked[2] = false; searching++; permit[2] = true
            :: else
            fi
        fi
    }
}

active proctype buffer()
{
end:
    do
    :: atomic { buffered > 0 -> flush() }
    od
}

proctype maker()
{
    byte i, s;
    bool p1, p2, crowded;
    do
    :: i < TASKS ->
        atomic {
            buffered++;
            if
            :: !inside -> flush()
            :: else
            fi
        }
#ifndef NO_LOOK
        atomic { p1 = parked[1]; p2 = parked[2]; look_crowded() } /* one word */
        s = searching;
        if
        :: (p1 || p2) && !crowded && s == 0 ->
            flush(); /* a locked operation */
            wake_one()
        :: else
        fi;
#endif
        i++
    :: break /* at any moment: less of it is a run of its own */
    od;
    made = true
}

proctype worker(byte id)
{
    bool found, p1, p2, crowded, other, will;
    byte left;
    searching++;
search:
    atomic {
        if
        :: queue > 0 -> queue--; found = true
        :: else
        fi
    }
    if
    :: found -> goto got
    :: else
    fi;
    /* park */
    permit[id] = false;
#ifndef STALE_UP
    up[id] = false;
#endif
#ifdef EARLY_LOOK
    atomic { p1 = parked[1]; p2 = parked[2]; p1 = p1 || id == 1; p2 = p2 || id == 2 }
#endif
    parked[id] = true;
    searching--;
#ifndef EARLY_LOOK
    atomic { p1 = parked[1]; p2 = parked[2] } /* one word */
#endif
    look_crowded();
#ifndef NO_SECOND_LOOK
    if
    :: !crowded && queue > 0 -> goto get_up
    :: else
    fi;
#endif
    other = (id == 1 && p2) || (id == 2 && p1);
    will = AWAKE(p1, p2) > 0;
    if
    :: other && up[3 - id] -> will = false
    :: else
    fi;
#ifdef NEVER_UP
    will = false;
#endif
#ifdef BOTH_RELY
    if
    :: other -> will = false
    :: else
    fi;
#endif
    up[id] = will;
endsleep:
    if
    :: permit[id]
    :: will && queue > 0
    :: atomic { will && alarms < FALSE_ALARMS -> alarms++ }
    fi;
get_up:
    atomic {
        if
        :: parked[id] -> parked[id] = false; searching++
        :: else
        fi
    }
    goto search;
got:
#ifndef BUSY_SEARCHER
    atomic { searching--; left = searching }
    if
    :: left == 0 && queue > 0 ->
        atomic { p1 = parked[1]; p2 = parked[2]; look_crowded() }
        if
        :: (p1 || p2) && !crowded && searching == 0 -> wake_one()
        :: else
        fi
    :: else
    fi;
#ifndef NO_HEIR
    other = parked[3 - id];
    if
    :: other && !up[3 - id] -> wake_one()
    :: else
    fi;
#endif
#endif
    busy++
}

init
{
    atomic {
        if
        :: inside = true
        :: inside = false
        fi;
        run maker();
        run worker(1);
        run worker(2)
    }
}

/* When nothing can move any more. */
active proctype judge()
{
    timeout;
    assert(made);
    assert(!(queue + buffered > 0 && busy < 2))
}
