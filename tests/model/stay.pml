/*
 * A stable actor's slot (actors/stay.c): its runs end and others are ordered,
 * while it is sent to, killed, told to stop, given up, and the system stops.
 *
 * Goal:   the slot is never scheduled twice at a time, nor while it runs; a run
 *         that is ordered begins; an address that is given up, or whose system
 *         stops, ends; whoever is told of an end may order at once; no message
 *         is lost; a kill, or the keeper's request to stop, ends the run that it
 *         is for, and no later one.
 * Method: a keeper that orders as long as it may, and then gives the address up
 *         or not; it asks the run that it knows of to stop at some moment. A
 *         sender whose messages runs may fail on; a killer; who stops the
 *         system, or does not. All sections under the lock of the stay but that
 *         of an order are one step, as nothing else looks at what is under it.
 *
 * mutant ORDER_WAKES: an order schedules the slot, whoever has its role
 * mutant ORDER_SILENT: an order leaves it to the slot to look
 * mutant GIVE_UP_WAKES: so does giving it up, whoever has its role
 * mutant GIVE_UP_SILENT: giving it up leaves it to the slot to look
 * mutant TOLD_FIRST: its end is told before it is noted
 * mutant REST_BLIND: a slot that comes to rest looks for orders before the lock
 * mutant STOP_UNSEEN: who ends or comes to rest does not look for the system's end
 * mutant STOP_BEHIND: the system looks at the slot before it says that it stops
 * mutant KILL_STAYS: an order leaves the alert of a kill
 * mutant KILL_LATE: the alert is taken away when the run begins, not before
 * mutant STOP_NAMELESS: a request of the keeper's does not say whom it is for
 */
#define LIVES 3 /* as many runs are ordered at most, with the first */
#define SENDS 2

mtype = { USER, STOP, KILL, STOPS };
mtype = { RUNS, ENDED, WAITS };

chan box = [8] of { mtype, byte };
bool idle = true;             /* the inbox has its mark */
bool submitted, running;
bool locked;
mtype at = RUNS;              /* under the lock, as the next three */
bool given_up, ordered;
byte life = 1;
bool alert, stopping;
bool between, over;           /* the consumer's; `over` is seen by all */
byte told;                    /* ends that the keeper was told of */
byte ended[LIVES + 1];        /* by what each life ended: */
#define BY_KILL 1
#define BY_STOP 2
#define BY_ITSELF 3
byte kill_from, kill_to;      /* lives that were there while a kill came */
byte kill_sure;               /* one that lived all that time, or 0 */
byte stop_sure;               /* whom the keeper has asked to stop, or 0 */
byte pushed, seen, buried;

/* Part of an atomic step. */
inline submit()
{
    assert(!submitted && !running);
    submitted = true
}

inline push(kind, who)
{
    atomic {
        box!kind, who;
        if
        :: idle -> idle = false; submit()
        :: else
        fi
    }
}

/* The run of this life is over, for that reason. */
inline end_run(why)
{
    ended[life] = why;
    if
    :: why == BY_KILL -> assert(kill_from <= life && life <= kill_to)
    :: else
    fi;
#ifdef TOLD_FIRST
    told++;
#endif
    atomic {
        !locked;
        if
#ifdef STOP_UNSEEN
        :: given_up -> over = true
#else
        :: given_up || stopping -> over = true
#endif
        :: else -> at = ENDED; between = true
        fi
    }
#ifndef TOLD_FIRST
    told++
#endif
}

active proctype slot()
{
    mtype kind;
    byte who;
    bool found;
endturn:
    atomic { submitted -> submitted = false; assert(!running); running = true }
    if
    :: between -> goto look
    :: else
    fi;
next:
    if
    :: atomic { empty(box) -> idle = true; running = false }
        goto endturn
    :: atomic { nempty(box) && over ->
            box?kind, who;
            if
            :: kind == USER -> buried++
            :: else
            fi
        }
        goto next
    :: nempty(box) && !over && alert ->
        end_run(BY_KILL); /* what is in hand goes back */
        goto again
    :: atomic { nempty(box) && !over && !alert -> box?kind, who }
        if
        :: kind == USER ->
            seen++;
            if
            :: skip
            :: end_run(BY_ITSELF); goto again
            fi
        :: kind == STOP && (who == 0 || who == life) ->
            if
            :: who != 0 -> assert(who == life)
            :: else -> assert(life <= stop_sure)
            fi;
            end_run(BY_STOP);
            goto again
        :: kind == STOPS -> end_run(BY_STOP); goto again
        :: else
        fi;
        goto next
    fi;
look:
#ifdef REST_BLIND
    found = ordered;
#endif
    atomic {
        !locked;
#ifndef REST_BLIND
        found = ordered;
#endif
        if
        :: found -> ordered = false; between = false
#ifdef KILL_LATE
            ; alert = false
#endif
#ifdef STOP_UNSEEN
        :: !found && given_up ->
#else
        :: !found && (given_up || stopping) ->
#endif
            given_up = true;
            between = false;
            over = true
        :: else -> at = WAITS; running = false
        fi
    }
    if
    :: between -> goto endturn /* it is not ours any more */
    :: else -> found = false; goto next
    fi;
again:
    if
    :: between -> atomic { running = false; submit() } goto endturn
    :: else -> goto next
    fi
}

inline give_up()
{
    atomic {
        !locked;
        given_up = true;
        if
#ifdef GIVE_UP_WAKES
        :: at != RUNS -> submit()
#else
        :: at == WAITS ->
            at = ENDED;
#ifndef GIVE_UP_SILENT
            submit()
#endif
#endif
        :: else
        fi
    }
}

active proctype keeper()
{
    byte heard, n = 1;
    bool wakes, asked;
    do
    :: told > heard && n < LIVES ->
        heard++;
        /* The order. */
        wakes = false;
        atomic { !locked -> locked = true };
        if
        :: stopping -> locked = false; break
        :: else
        fi;
        assert(given_up || at != RUNS);
        if
        :: given_up -> locked = false; break
        :: else
        fi;
        wakes = (at == WAITS);
        at = RUNS;
        ordered = true;
        life++;
#if !defined(KILL_STAYS) && !defined(KILL_LATE)
        alert = false;
#endif
        n++;
        locked = false;
#ifdef ORDER_WAKES
        atomic { submit() };
#else
#ifndef ORDER_SILENT
        if
        :: wakes -> atomic { submit() }
        :: else
        fi;
#endif
#endif
    :: !asked -> /* to stop: the run that it knows of */
        asked = true;
        stop_sure = life;
        if
#ifdef STOP_NAMELESS
        :: !over -> push(STOP, 0)
#else
        :: !over -> push(STOP, stop_sure)
#endif
        :: over
        fi
    :: give_up(); break
    :: break /* and the address stays */
    od
}

active proctype sender()
{
    byte i;
    do
    :: i < SENDS && !over -> i++; pushed++; push(USER, 0)
    :: break
    od
}

active proctype killer()
{
    byte sure;
    if
    :: skip
    :: kill_from = life;
        kill_to = LIVES; /* as long as it goes on */
        atomic {
            alert = true;
            if
            :: at == RUNS && !locked -> sure = life
            :: else
            fi;
            kill_to = life
        }
        push(KILL, 0);
        kill_sure = sure
    fi
}

active proctype stopper()
{
    if
    :: skip
    ::
#ifndef STOP_BEHIND
        stopping = true;
#endif
        atomic {
            !locked;
            if
            :: over
            :: !over && at == RUNS ->
                box!STOPS, 0;
                if
                :: idle -> idle = false; submit()
                :: else
                fi
            :: !over && at != RUNS ->
                given_up = true;
                if
                :: at == WAITS -> at = ENDED; submit()
                :: else
                fi
            fi
        }
#ifdef STOP_BEHIND
        stopping = true
#endif
    fi
}

/* When nothing moves any more. */
active proctype judge()
{
    timeout;
    assert(!submitted && !running && !locked && !ordered);
    assert(!(given_up || stopping) || over || at == RUNS);
    assert(!stopping || over);
    /* Between two runs it waits; else it was handled, or buried. */
    assert(at == WAITS || (empty(box) && seen + buried == pushed));
    assert(kill_sure == 0 || ended[kill_sure] != 0);
    assert(stop_sure == 0 || ended[stop_sure] != 0)
}
