/*
 * Workers that sleep in the poller or, if another does, elsewhere, against who
 * wakes them, opens the poller, or holds it for a moment (sched/park.c,
 * sched/poller.c).
 *
 * Goal:   when nothing moves any more, neither a task nor what is ready at a
 *         descriptor waits, unless all workers are busy.
 * Method: two workers look for tasks, park, and are busy for ever with the
 *         first they get. Somebody makes a descriptor ready, and meanwhile one
 *         other does one thing: submits a task, opens the poller, or (as the
 *         watchdog, or who ends a port) takes it for a look. What is ready
 *         becomes a task by who has found it. A sleeper that relies on
 *         its time gets up when there is something; how it comes to that is in
 *         park.pml. Who parks while the other is awake may leave the poller to
 *         that one.
 *
 * mutant EARLY_OPEN: who parks looks whether it is open before it says so
 * mutant EARLY_TAKE: likewise whether it is held
 * mutant NO_PERMIT_LOOK: who sleeps in the poller does not look for its permit
 * mutant EARLY_POLLS: a waker looks where its sleeper is before it lets it go
 * mutant JUST_GIVE: who looks for a moment does not see to a sleeper
 * mutant JUST_OPEN: nor does who opens it
 * mutant NO_HEIR: who held it and found a task sees to no other
 * mutant KEEPS: who got up does not give it back
 * mutant LEFT_BY_ALL: the poller is left to the other one though that sleeps
 * mutant LEFT_FOR_GOOD: who left it to the other does not look again
 */
bool open, held;
bool ready;    /* at a descriptor */
bool rung;     /* the poller's own descriptor, by a wake */
byte queue;    /* tasks */
bool parked[3], permit[3], polls[3], up[3];
byte searching;
byte busy;     /* workers that found a task */

#define SOMEBODY_PARKS (parked[1] || parked[2])

/* Lets a worker go whose bit the caller has cleared. */
inline let_go(i)
{
#ifdef EARLY_POLLS
    where = polls[i];
#endif
    permit[i] = true;
#ifndef EARLY_POLLS
    where = polls[i];
#endif
    if
    :: where -> rung = true
    :: else /* the word that it waits on has changed */
    fi
}

/* Clears one set bit of `parked`, if there is one, and counts its searcher. */
inline wake_one()
{
    atomic {
        whom = (parked[1] -> 1 : (parked[2] -> 2 : 0));
        if
        :: whom != 0 -> parked[whom] = false; searching++
        :: else
        fi
    }
    if
    :: whom != 0 -> let_go(whom)
    :: else
    fi
}

/* Whether a task that was just made needs a worker to be woken. */
inline notify()
{
    if
    :: SOMEBODY_PARKS && searching == 0 -> wake_one()
    :: else
    fi
}

proctype submitter()
{
    byte whom;
    bool where;
    queue++;
    notify()
}

active proctype device()
{
    ready = true
}

proctype opener()
{
    byte whom;
    bool where;
    open = true;
#ifndef JUST_OPEN
    wake_one()
#endif
}

proctype helper()
{
    byte whom;
    bool where, got;
    if
    :: open ->
        atomic {
            if
            :: !held -> held = true
            :: else -> goto over
            fi
        }
        atomic { got = ready; ready = false; rung = false }
        if
        :: got -> queue++; notify()
        :: else
        fi;
        held = false;
#ifndef JUST_GIVE
        wake_one()
#endif
    :: true /* it does not look at all */
    fi;
over:
    skip
}

proctype worker(byte id)
{
    byte whom, left;
    bool found, where, holds, got, is_open, can, other, will, leaves;
    searching++;
search:
    atomic {
        whom = 0; left = 0; where = false; other = false; will = false;
        is_open = false; can = false; leaves = false; /* fewer states */
        if
        :: queue > 0 -> queue--; found = true
        :: else
        fi
    }
    if
    :: found -> goto got_one
    :: else
    fi;
    /* park */
    atomic { permit[id] = false; up[id] = false } /* nobody looks yet */
#ifdef EARLY_OPEN
    is_open = open;
#endif
#ifdef EARLY_TAKE
    can = !held;
#endif
    parked[id] = true;
    searching--;
    other = parked[3 - id];
    if
    :: queue > 0 -> goto get_up
    :: else
    fi;
    will = !other; /* somebody is awake */
    up[id] = will;
#ifndef EARLY_OPEN
    is_open = open;
#endif
    if
#ifdef LEFT_BY_ALL
    :: leaves = true
#else
    :: will -> leaves = true /* the other looks often */
#endif
    :: true
    fi;
#ifdef LEFT_FOR_GOOD
    will = will && !leaves;
    up[id] = will;
#endif
    if
    :: is_open && !leaves ->
#ifdef EARLY_TAKE
        atomic {
            if
            :: can && !held -> held = true; holds = true
            :: else
            fi
        }
#else
        atomic {
            if
            :: !held -> held = true; holds = true
            :: else
            fi
        }
#endif
    :: else
    fi;
    if
    :: holds ->
        polls[id] = true;
#ifndef NO_PERMIT_LOOK
        if
        :: permit[id] -> goto told
        :: else
        fi;
#endif
endpolls:
        atomic {
            if
            :: ready || rung -> got = ready; ready = false; rung = false
            :: will && queue > 0
            fi
        }
told:
        polls[id] = false
    :: else ->
endsleeps:
        if
        :: permit[id]
        :: will && (queue > 0 || (ready && open && !held))
        fi
    fi;
get_up:
    atomic {
        if
        :: parked[id] -> parked[id] = false; searching++
        :: else
        fi
    }
    if
    :: got -> queue++; got = false
    :: else
    fi;
    if
    :: holds ->
#ifndef KEEPS
        held = false;
#endif
        holds = false
    :: else
    fi;
    goto search;
got_one:
    atomic { searching--; left = searching }
    if
    :: left == 0 && queue > 0 -> notify()
    :: else
    fi;
#ifndef NO_HEIR
    other = parked[3 - id];
    if
    :: other && !up[3 - id] -> wake_one()
    :: else
    fi;
#endif
    busy++
}

init
{
    atomic {
        if
        :: run opener()
        :: open = true; run submitter()
        :: open = true; run helper()
        fi;
        run worker(1);
        run worker(2)
    }
}

/* When nothing can move any more. */
active proctype judge()
{
    timeout;
    assert(!(queue > 0 && busy < 2));
    assert(!(open && ready && busy < 2))
}
