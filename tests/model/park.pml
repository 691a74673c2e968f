/*
 * Workers that go to sleep against those who make tasks (sched/park.c), and one
 * of them against whoever arms a timer for a worker that is busy.
 *
 * Goal:   when nothing moves any more, no task lies in a queue unless all
 *         workers are busy, and no timer is armed for which no sleeper gets up.
 * Method: worker 0 is busy for ever: it makes tasks and arms a timer. The
 *         others look for tasks, park, and are busy for ever with the first
 *         they get. Worker 0's stores stand in a buffer that empties whenever
 *         it likes, as on a machine that is weaker than sequential consistency,
 *         and is emptied by a sequentially consistent operation. The sleepers'
 *         operations are read-modify-writes, which need no buffer.
 *
 * mutant NO_ORDER: the submitter's store and look are not in order
 * mutant NO_SECOND_LOOK: the parker does not look after its announcement
 * mutant NO_CHAIN: the last searcher that finds does not wake the next
 * mutant BUSY_SEARCHER: a worker that found a task stays counted as searching
 * mutant NO_LOOK: the submitter does not look for sleepers
 * mutant TIMER_NO_ORDER: the armer's store and look are not in order
 * mutant TIMER_NO_LOOK: the armer does not look who gets up
 * mutant TIMER_LATE_SAY: the parker looks at the times before its announcement
 * mutant TIMER_STALE: the parker leaves in place when it got up last time
 * mutant TIMER_NO_HEIR: a sleeper that begins to run looks for no other
 */
#define WORKERS 3 /* 0 makes the tasks */
#define TASKS 2
#define TIMERS 2 /* one after the other */
#define STEPS 3  /* of both together */

byte queue;            /* tasks that all can see */
byte buffered;         /* tasks that only worker 0 can see */
bool armed, armed_buf; /* a timer of worker 0, and its way there */
bool parked[WORKERS];
bool permit[WORKERS];
bool up[WORKERS]; /* it says that it will get up for the timer */
byte searching;
byte busy;    /* workers that found a task */
bool fired;
bool made;    /* worker 0 has done all it does, and is busy */

inline flush()
{
    atomic {
        queue = queue + buffered;
        buffered = 0;
        armed = armed || armed_buf;
        armed_buf = false
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

/* The watch of an armer, or of who gives up to be a sleeper. */
inline watch()
{
    see1 = parked[1]; /* one after the other: nothing freezes meanwhile */
    see2 = parked[2];
    if
    :: see1 && up[1]
    :: else ->
        if
        :: see2 && up[2]
        :: else ->
            if
            :: see1 || see2 -> wake_one()
            :: else
            fi
        fi
    fi
}

active proctype buffer()
{
end:
    do
    :: atomic { buffered > 0 || armed_buf -> flush() }
    od
}

active proctype maker()
{
    byte i, j, s;
    bool p1, p2, see1, see2;
    do
    :: i < TASKS && i + j < STEPS ->
        buffered++;
#ifndef NO_ORDER
        flush();
#endif
#ifndef NO_LOOK
        p1 = parked[1];
        p2 = parked[2];
        s = searching;
        if
        :: (p1 || p2) && s == 0 -> flush(); wake_one() /* a locked operation */
        :: else
        fi;
#endif
        i++
    :: j < TIMERS && i + j < STEPS && !armed ->
        j++;
        armed_buf = true;
#ifndef TIMER_NO_ORDER
        flush();
#endif
#ifndef TIMER_NO_LOOK
        watch();
#endif
    :: break /* at any moment: less of it is a run of its own */
    od;
    made = true
}

proctype worker(byte id)
{
    bool found, left, see1, see2, will;
    searching++;
search:
    atomic {
        if
        :: queue > 0 -> queue--; found = true
        :: else
        fi
    }
    atomic { /* searchers fire what is due, and all is due sooner or later */
        if
        :: armed -> armed = false; fired = true
        :: armed -> skip
        :: else
        fi
    }
    if
    :: found -> goto got
    :: else
    fi;
    if
    :: goto search
    :: skip
    fi;
    /* park */
    permit[id] = false;
#ifndef TIMER_STALE
    up[id] = false;
#endif
#ifdef TIMER_LATE_SAY
    will = armed;
#endif
    parked[id] = true;
    searching--;
#ifndef NO_SECOND_LOOK
    if
    :: queue > 0 -> goto get_up
    :: else
    fi;
#endif
#ifndef TIMER_LATE_SAY
    will = armed;
#endif
    up[id] = will;
endsleep:
    if
    :: permit[id]
    :: will && armed /* the time came */
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
    atomic { searching--; left = (searching == 0) }
#ifndef NO_CHAIN
    if
    :: left && queue > 0 ->
        if
        :: searching == 0 -> wake_one()
        :: else
        fi
    :: else
    fi;
#endif
#ifndef TIMER_NO_HEIR
    if
    :: armed -> watch()
    :: else
    fi;
#endif
#endif
    busy++
}

init
{
    atomic { run worker(1); run worker(2) }
}

/* When nothing can move any more. */
active proctype judge()
{
    timeout;
    assert(made);
    assert(!(queue + buffered > 0 && busy < WORKERS - 1));
    assert(!((armed || armed_buf) && busy < WORKERS - 1))
}
