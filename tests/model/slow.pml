/*
 * Suspended senders (actors/slow.c): a sender that pressed a receiver enters
 * itself, sends a RESUME, and parks if it is still entered then.
 *
 * Goal:   nobody is submitted twice at a time; nobody waits for ever for a
 *         receiver that goes on or has died, not even two for each other; who
 *         is killed waits for nobody.
 * Method: two actors that press each other, each in two of its turns. The second
 *         may get stuck in a handler for ever, or die. The first is killed at
 *         some moment, or not. Each section under slow_lock is one step.
 *
 * mutant NO_CIRCLE_LOOK: a circle of waits is closed
 * mutant PARK_BLIND: parks without a look whether it is still entered
 * mutant RESUME_FIRST: sends the RESUME before it has entered itself
 * mutant ENTER_PARKED: one step where two are: entered is parked
 * mutant LET_GO_ALWAYS: submits whom it lets go, parked or not
 * mutant LET_GO_NEVER: lets go without submitting who has parked
 * mutant BURY_SILENT: a dead receiver's RESUME lets nobody go
 * mutant KILL_SILENT: a kill lets nobody go
 * mutant KILL_UNSEEN: a sender that parks does not look whether it is killed
 */
#define TURNS 2
#define KILL 0 /* a token that nobody waits for */

chan box[2] = [6] of { byte, byte }; /* token, sender */
byte waits[2];                       /* the token it is entered with, or 0 */
byte receiver_of[2];
bool parked[2];
byte tokens;
bool submitted[2], running[2], idle[2], dead[2], alert[2];
bool stuck;

/* Part of an atomic step. */
inline submit(who)
{
    assert(!submitted[who] && !running[who]);
    submitted[who] = true
}

inline push(who, token, sender)
{
    box[who]!token, sender;
    if
    :: idle[who] -> idle[who] = false; submit(who)
    :: else
    fi
}

/* token 0: whatever it waits for. */
inline let_go(who, token)
{
    if
    :: waits[who] != 0 && (token == 0 || waits[who] == token) ->
        waits[who] = 0;
#ifdef LET_GO_ALWAYS
        parked[who] = false;
        submit(who)
#else
        if
#ifdef LET_GO_NEVER
        :: parked[who] -> parked[who] = false
#else
        :: parked[who] -> parked[who] = false; submit(who)
#endif
        :: else
        fi
#endif
    :: else
    fi
}

inline send_resume(token)
{
    atomic {
        if
#ifdef BURY_SILENT
        :: dead[other]
#else
        :: dead[other] -> let_go(me, token)
#endif
        :: else -> push(other, token, me)
        fi
    }
}

proctype actor(byte me)
{
    byte other = 1 - me, turns, token, t, s;
    bool suspended;
endturn:
    atomic {
        submitted[me] || dead[me];
        if
        :: dead[me] -> goto endgone
        :: else
        fi;
        submitted[me] = false;
        assert(!running[me]);
        running[me] = true
    }
    if
    :: me == 1 -> stuck = true; goto endgone
    :: skip
    fi;
    do
    :: atomic {
        nempty(box[me]) ->
        box[me]?t, s;
        if
        :: t != KILL -> let_go(s, t)
        :: else
        fi
       }
    :: empty(box[me]) -> break
    od;
    if
    :: alert[me] || me == 1 -> goto die
    :: !alert[me]
    fi;
    if
    :: turns < TURNS -> turns++
    :: else -> goto rest
    fi;
    /* it has pressed the other */
    suspended = false;
#ifdef RESUME_FIRST
    atomic { tokens++; token = tokens }
    send_resume(token);
#endif
    atomic {
        if
#ifndef NO_CIRCLE_LOOK
        :: waits[other] != 0 && receiver_of[other] == me -> token = 0
#endif
        :: else ->
#ifndef RESUME_FIRST
            tokens++;
            token = tokens;
#endif
            waits[me] = token;
            receiver_of[me] = other;
#ifdef ENTER_PARKED
            parked[me] = true
#else
            parked[me] = false
#endif
        fi
    }
    if
    :: token == 0 -> goto again
    :: else
    fi;
#ifndef RESUME_FIRST
    send_resume(token);
#endif
    atomic {
        if
#ifndef PARK_BLIND
        :: waits[me] != token -> skip
#endif
#ifndef KILL_UNSEEN
        :: waits[me] == token && alert[me] -> waits[me] = 0
#endif
        :: else -> parked[me] = true; suspended = true; running[me] = false
        fi
    }
    if
    :: suspended -> goto endturn
    :: else
    fi;
again:
    atomic { running[me] = false; submit(me) }
    goto endturn;
rest:
    atomic {
        running[me] = false;
        if
        :: empty(box[me]) -> idle[me] = true
        :: else -> submit(me)
        fi
    }
    goto endturn;
die:
    dead[me] = true;
    do
    :: atomic {
        nempty(box[me]) ->
        box[me]?t, s;
#ifndef BURY_SILENT
        if
        :: t != KILL -> let_go(s, t)
        :: else
        fi
#endif
       }
    :: empty(box[me]) -> break
    od;
    running[me] = false;
endgone:
    /* who was on its way to a dead one is buried by the slot's next turn */
    do
    :: atomic {
        dead[me] && nempty(box[me]) ->
        box[me]?t, s;
#ifndef BURY_SILENT
        if
        :: t != KILL -> let_go(s, t)
        :: else
        fi
#endif
       }
    od
}

active proctype killer()
{
    if
    :: skip
    :: alert[0] = true;
#ifndef KILL_SILENT
        atomic { let_go(0, 0) }
#endif
        atomic {
            if
            :: !dead[0] -> push(0, KILL, 0)
            :: else
            fi
        }
    fi
}

init
{
    atomic {
        submitted[0] = true;
        submitted[1] = true;
        run actor(0);
        run actor(1)
    }
}

active proctype judge()
{
    timeout;
    assert(!submitted[0] && (stuck || !submitted[1]));
    assert(waits[0] == 0 || (stuck && !alert[0]));
    assert(waits[1] == 0)
}
