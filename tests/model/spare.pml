/*
 * A spare worker that comes into service and goes out again (sched/park.c,
 * sched/watchdog.c), among others that sleep, and who makes tasks.
 *
 * Goal:   when nothing moves any more, no task lies in a queue unless all who
 *         are in service are busy; and the spare is in service if it is wanted.
 * Method: as park.pml, with one worker and one spare. The watchdog wants the
 *         spare or does not, as often as WISHES says, at any moment. `present`
 *         counts those in service; it and the bits of those who sleep are read
 *         one after the other. A spare that is out may get up for a timer of its
 *         own. The maker is a worker that is always busy, or none.
 *
 * mutant NO_LAST_LOOK: who goes out does not look whether it is wanted again
 * mutant NO_SECOND_LOOK: who sleeps or goes out does not look at the queues
 * mutant NO_HEIR: who goes out sees to no other who looks around
 * mutant CALLED_FIRST: the watchdog calls before it says whom it wants
 * mutant RELIES_ON_OUT: a spare that is out is relied upon to look around
 * mutant UNCOUNTED: who goes out stays counted as present
 */
#define TASKS 1
#define WISHES 2
#define FALSE_ALARMS 1

byte queue;    /* tasks that all can see */
byte buffered; /* tasks that only the maker can see */
bool inside;   /* the maker is a worker */
bool parked[3], permit[3], up[3];
bool out = true;    /* the spare, worker 2 */
bool wanted;        /* the same */
byte present = 1;   /* in service: worker 1 and, later, the maker */
byte searching;
byte busy;          /* in service that found a task */
byte alarms;
bool made;     /* the maker has done all it does, and is busy */
bool settled;  /* the watchdog wants nothing else any more */

/* Who sleeps, and how many do not. They are two words. */
inline look_awake()
{
    atomic { p1 = parked[1]; p2 = parked[2] };
    awake = (present > p1 + p2 -> present - (p1 + p2) : 0)
}

/* The same, and whether as many are awake as may be. */
inline look_crowded()
{
    atomic { p1 = parked[1]; p2 = parked[2] };
    atomic {
        awake = (present > p1 + p2 -> present - (p1 + p2) : 0);
        if
        :: awake > 0 -> crowded = true
        :: crowded = false
        fi
    }
}

/* So that states that differ in nothing else are one. */
inline forget()
{
    p1 = false; p2 = false; awake = 0; crowded = false
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

/* One of those who sleep looks around, or is made to. */
inline see_to_another()
{
    look_awake();
    if
    :: (p1 || p2) && awake > 0 ->
        if
        :: (p1 && up[1]) || (p2 && up[2])
        :: else -> wake_one()
        fi
    :: else
    fi;
    atomic { forget() }
}

active proctype buffer()
{
end:
    do
    :: atomic { buffered > 0 -> flush() }
    od
}

active proctype watchdog()
{
    byte i;
    do
    :: i < WISHES ->
#ifdef CALLED_FIRST
        if
        :: out -> permit[2] = true
        :: else
        fi;
        wanted = !wanted;
#else
        wanted = !wanted;
        if
        :: wanted && out -> permit[2] = true
        :: else
        fi;
#endif
        i++
    :: break
    od;
    settled = true
}

proctype maker()
{
    byte i, awake;
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
        look_crowded();
        if
        :: atomic { (p1 || p2) && !crowded && searching == 0 -> forget() }
            flush(); /* a locked operation */
            wake_one()
        :: atomic { else -> forget() }
        fi;
        i++
    :: break
    od;
    made = true
}

proctype worker(byte id)
{
    bool found, p1, p2, crowded, will, is_out;
    byte left, awake;
    if
    :: id == 2 -> is_out = true; goto asleep
    :: else -> searching++
    fi;
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
    /* park, or go out */
    atomic { permit[id] = false; up[id] = false };
    if
    :: id == 2 && !wanted ->
        atomic { is_out = true; out = true };
#ifndef UNCOUNTED
        present--
#endif
    :: else -> parked[id] = true
    fi;
    searching--;
#ifndef NO_HEIR
    if
    :: is_out -> see_to_another()
    :: else
    fi;
#endif
    look_crowded();
#ifndef NO_SECOND_LOOK
    if
    :: !crowded && queue > 0 -> goto get_up
    :: else
    fi;
#endif
#ifndef NO_LAST_LOOK
    if
    :: is_out && wanted -> goto get_up
    :: else
    fi;
#endif
    will = awake > 0 && !is_out;
    if
    :: (id == 1 && p2 && up[2]) || (id == 2 && p1 && up[1]) -> will = false
#ifdef RELIES_ON_OUT
    :: id == 1 && out -> will = false
#endif
    :: else
    fi;
    atomic { up[id] = will; forget() };
asleep:
endsleep:
    if
    :: permit[id]
    :: will && queue > 0
    :: atomic { (will || is_out) && alarms < FALSE_ALARMS -> alarms++ }
    fi;
get_up:
    atomic { will = false; forget() };
    if
    :: is_out ->
        atomic { is_out = false; out = false };
#ifndef UNCOUNTED
        present++;
#endif
        searching++
    :: else ->
        atomic {
            if
            :: parked[id] -> parked[id] = false; searching++
            :: else
            fi
        }
    fi;
    goto search;
got:
    atomic { searching--; left = searching }
    if
    :: left == 0 && queue > 0 ->
        look_crowded();
        if
        :: (p1 || p2) && !crowded && searching == 0 -> wake_one()
        :: else
        fi
    :: else
    fi;
    atomic { left = 0; forget() };
    see_to_another();
    busy++
}

init
{
    atomic {
        if
        :: inside = true; present++
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
    assert(made && settled);
    assert(!(wanted && out));
    /* The spare that is out is not among those who could do it. */
    assert(!(queue + buffered > 0 && busy + out < 2))
}
