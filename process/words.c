/*
 * process/words.c - see words.h.
 *
 * The writer trusts nothing that could be overwritten more than it must: it
 * reads its own stack, the fault, and what the loader knows of an address
 * (_dl_find_object, which is made for handlers). Should that fault, too, the
 * process ends without these words, by the first signal.
 *
 * The reader trusts no word: the worst that a process can do here is to name
 * wrong functions as its own.
 */
#include "process/words.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- the process --------------------------------------------------------- */

typedef struct words {
    gri_wire head;
    gri_wire_fault fault;
    gri_wire_frame frames[GRI_FRAMES_MAX];
    char names[GRI_WIRE_NAMES];
    const char *seen[GRI_WIRE_OBJECTS]; /* the loader's, of each name */
} words;

/* 0: the executable. */
static uint32_t number_of(words *w, const char *name)
{
    gri_wire_fault *f = &w->fault;
    const size_t room = GRI_WIRE_NAMES - f->names;
    if (name == NULL || name[0] == '\0') {
        return 0;
    }
    for (uint32_t i = 0; i < f->objects; i++) {
        if (w->seen[i] == name) {
            return i + 1;
        }
    }
    const size_t len = strnlen(name, room);
    if (f->objects == GRI_WIRE_OBJECTS || len == room) {
        return GRI_WIRE_NOWHERE;
    }
    memcpy(w->names + f->names, name, len + 1);
    f->names += (uint32_t)len + 1;
    w->seen[f->objects++] = name;
    return f->objects;
}

/* A call may be its function's last instruction, and where it returns to the
 * next object's first. */
static gri_wire_frame frame_of(words *w, const void *address, bool returns)
{
    struct dl_find_object object;
    gri_wire_frame frame = {.object = GRI_WIRE_NOWHERE};
    const uintptr_t at = (uintptr_t)address;
    if (_dl_find_object((void *)(at - (returns ? 1 : 0)), &object) == 0 &&
        object.dlfo_link_map != NULL) {
        frame.object = number_of(w, object.dlfo_link_map->l_name);
        frame.offset = frame.object != GRI_WIRE_NOWHERE
                           ? at - object.dlfo_link_map->l_addr
                           : 0;
    }
    return frame;
}

void gri_words_send(int control, const gri_fault *fault)
{
    words w; /* what is sent of it is set */
    unsigned n = fault->n < GRI_FRAMES_MAX ? fault->n : GRI_FRAMES_MAX;
    while (n > 1 && fault->frames[n - 1] == NULL) {
        n--; /* a thread's first function returns to nowhere */
    }
    w.fault = (gri_wire_fault){
        .signal = fault->signal,
        .code = fault->code,
        .flags = (fault->has_address ? GRI_WIRE_FAULT_ADDRESS : 0U) |
                 (fault->stack_overflow ? GRI_WIRE_FAULT_OVERFLOW : 0U),
        .frames = n,
        .address = (uintptr_t)fault->address,
    };
    for (unsigned i = 0; i < n; i++) {
        w.frames[i] = frame_of(&w, fault->frames[i], i > 0);
    }
    const size_t frames = n * sizeof(w.frames[0]);
    w.head = (gri_wire){
        .type = GRI_WIRE_FAULTED,
        .len = (uint32_t)(sizeof(w.fault) + frames + w.fault.names),
    };
    struct iovec parts[] = {
        {&w.head, sizeof(w.head)},
        {&w.fault, sizeof(w.fault)},
        {w.frames, frames},
        {w.names, w.fault.names},
    };
    const struct msghdr msg = {.msg_iov = parts,
                               .msg_iovlen = sizeof(parts) / sizeof(parts[0])};
    ssize_t sent;
    do {
        sent = sendmsg(control, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
}

/* ---- its parent ---------------------------------------------------------- */

typedef struct reading {
    const gri_wire_fault *from;
    const uint8_t *frames;
    const char *names;
    bool executable_done; /* the first object without a name is that */
    gri_fault *to;
} reading;

static bool is_code(const struct dl_phdr_info *info, uint64_t offset)
{
    for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0 &&
            offset - segment->p_vaddr < segment->p_memsz) {
            return true;
        }
    }
    return false;
}

/* The frames in the object of that number stand here. */
static void place(const reading *r, uint32_t number,
                  const struct dl_phdr_info *info)
{
    for (uint32_t i = 0; i < r->from->frames; i++) {
        gri_wire_frame frame;
        memcpy(&frame, r->frames + i * sizeof(frame), sizeof(frame));
        if (frame.object == number &&
            is_code(info, frame.offset - (i > 0 ? 1 : 0))) {
            r->to->frames[i] = (void *)(info->dlpi_addr + frame.offset);
        }
    }
}

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
    reading *r = arg;
    (void)size;
    if (info->dlpi_name[0] == '\0') {
        if (!r->executable_done) {
            place(r, 0, info);
        }
        r->executable_done = true;
        return 0;
    }
    const char *name = r->names;
    for (uint32_t i = 1; i <= r->from->objects; i++) {
        if (strcmp(name, info->dlpi_name) == 0) {
            place(r, i, info);
        }
        name += strlen(name) + 1;
    }
    return 0;
}

gri_fault *gri_words_read(const uint8_t *body)
{
    gri_wire_fault from;
    gri_fault *to = calloc(1, sizeof(*to));
    if (to == NULL) {
        return NULL;
    }
    memcpy(&from, body, sizeof(from));
    to->signal = from.signal;
    to->code = from.code;
    to->has_address = (from.flags & GRI_WIRE_FAULT_ADDRESS) != 0;
    to->stack_overflow = (from.flags & GRI_WIRE_FAULT_OVERFLOW) != 0;
    to->address = to->has_address ? (void *)(uintptr_t)from.address : NULL;
    to->n = from.frames;
    reading r = {.from = &from, .frames = body + sizeof(from), .to = to};
    r.names = (const char *)r.frames + from.frames * sizeof(gri_wire_frame);
    (void)dl_iterate_phdr(look_at, &r);
    to->pc = to->n > 0 ? to->frames[0] : NULL;
    return to;
}
