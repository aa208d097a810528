/*
 * The count of references is the only word here that several threads write.
 *
 *   ref     add 1; the caller holds a reference, so the count cannot be 0, and nothing needs to be ordered
 *   unref   release fence, subtract 1; whoever takes it to 0: acquire fence, free
 *
 * The fences order every holder's reads of the bytes before they are freed. When the count reads 1, the reader is the
 * only holder and nobody can add to it: the subtraction is left out.
 */
#include "mailbox/buf.h"

#include <ck_pr.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void (*tri_buf_returned)(tr_ref account, size_t charge);

/* ---- making ------------------------------------------------------------------------------------------------------ */

static tr_buf *init(tr_buf *buf, tri_tag tag, enum tri_buf_kind kind, const void *bytes, size_t length)
{
    *buf = (tr_buf){ .refs = 1, .tag = tag, .kind = (uint8_t)kind, .bytes = bytes, .length = length, .total = length };
    buf->last = buf;
    return buf;
}

static tr_buf *make_node(enum tri_buf_kind kind, const void *bytes, size_t length)
{
    tri_tag tag;
    tr_buf *buf = tri_block_get(sizeof *buf, &tag);
    return buf ? init(buf, tag, kind, bytes, length) : NULL;
}

tr_buf *tr_buf_new(size_t size, void **bytes)
{
    tri_tag tag;
    tr_buf *buf = size <= SIZE_MAX - sizeof *buf ? tri_block_get(sizeof *buf + size, &tag) : NULL;
    if (!buf)
        return NULL;
    *bytes = buf + 1;
    return init(buf, tag, TRI_BUF_OWN, buf + 1, size);
}

tr_buf *tr_buf_copy(const void *bytes, size_t size)
{
    void *room;
    tr_buf *buf = tr_buf_new(size, &room);
    if (buf && size)
        memcpy(room, bytes, size);
    return buf;
}

tr_buf *tr_buf_printf(const char *format, ...)
{
    char text[512];
    va_list arguments, again;
    void *room;

    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(text, sizeof text, format, arguments);
    tr_buf *buf = size < 0 ? NULL : tr_buf_new((size_t)size + 1, &room); /* room for vsnprintf's closing zero */
    if (buf) {
        if ((size_t)size < sizeof text)
            memcpy(room, text, (size_t)size);
        else
            vsnprintf(room, (size_t)size + 1, format, again);
        buf->length = buf->total = (size_t)size;
    }
    va_end(again);
    va_end(arguments);
    return buf;
}

tr_buf *tr_buf_adopt(const void *bytes, size_t size, void (*release)(const void *bytes, void *arg), void *arg)
{
    tr_buf *buf = make_node(TRI_BUF_ADOPTED, bytes, size);
    if (!buf) {
        if (release)
            release(bytes, arg);
        return NULL;
    }
    buf->release = release;
    buf->arg = arg;
    return buf;
}

tr_buf *tri_buf_receive(size_t room)
{
    tri_tag tag;
    char *block = tri_block_get(TRI_BUF_PREFIX + sizeof(tr_buf) + room, &tag);
    if (!block)
        return NULL;
    tr_buf *buf = (tr_buf *)(void *)(block + TRI_BUF_PREFIX);
    return init(buf, tag, TRI_BUF_RECEIVED, buf + 1, 0);
}

/* ---- holding ----------------------------------------------------------------------------------------------------- */

tr_buf *tr_buf_ref(tr_buf *buf)
{
    ck_pr_inc_32(&buf->refs);
    return buf;
}

static bool held_by_one(const tr_buf *buf)
{
    if (ck_pr_load_32(&buf->refs) != 1)
        return false;
    ck_pr_fence_acquire(); /* pairs with the release fence in drop() */
    return true;
}

/* Gives one reference up; a piece that nobody holds any more is added to the list of the dead. */
static void drop(tr_buf *buf, tr_buf **dead)
{
    if (!held_by_one(buf)) {
        ck_pr_fence_release(); /* pairs with the acquire fences here and in held_by_one() */
        if (ck_pr_faa_32(&buf->refs, (uint32_t)-1) != 1)
            return;
        ck_pr_fence_acquire();
    }
    buf->last = *dead;
    *dead = buf;
}

static void release_piece(tr_buf *buf, tr_buf **dead)
{
    if (buf->next)
        drop(buf->next, dead);
    switch ((enum tri_buf_kind)buf->kind) {
    case TRI_BUF_OWN: break;
    case TRI_BUF_RECEIVED:
        if (!tr_ref_is_nobody(buf->account))
            tri_buf_returned(buf->account, buf->charge);
        tri_block_put(tri_buf_prefix(buf), buf->tag);
        return;
    case TRI_BUF_ADOPTED:
        if (buf->release)
            buf->release(buf->bytes, buf->arg);
        break;
    case TRI_BUF_SLICE: drop(buf->origin, dead); break;
    }
    tri_block_put(buf, buf->tag);
}

void tr_buf_unref(tr_buf *buf)
{
    tr_buf *dead = NULL; /* a list, not recursion: chains may be long */
    if (!buf)
        return;
    drop(buf, &dead);
    while (dead) {
        buf = dead;
        dead = buf->last;
        release_piece(buf, &dead);
    }
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

size_t tr_buf_size(const tr_buf *buf)
{
    return buf->total;
}

const void *tr_buf_bytes(const tr_buf *piece)
{
    return piece->bytes;
}

size_t tr_buf_length(const tr_buf *piece)
{
    return piece->length;
}

const tr_buf *tr_buf_next(const tr_buf *piece)
{
    return piece->next;
}

/* The piece that *offset lies in, with *offset made relative to it; NULL when the buffer ends before. */
static const tr_buf *seek(const tr_buf *buf, size_t *offset)
{
    while (buf && *offset >= buf->length) {
        *offset -= buf->length;
        buf = buf->next;
    }
    return buf;
}

size_t tr_buf_read(const tr_buf *buf, size_t offset, void *to, size_t size)
{
    size_t done = 0;
    for (buf = seek(buf, &offset); buf && done < size; buf = buf->next, offset = 0) {
        size_t part = buf->length - offset < size - done ? buf->length - offset : size - done;
        if (part) /* an empty piece may have been adopted without any memory */
            memcpy((char *)to + done, buf->bytes + offset, part);
        done += part;
    }
    return done;
}

ptrdiff_t tr_buf_find(const tr_buf *buf, size_t offset, char byte)
{
    size_t before = offset;
    buf = seek(buf, &offset);
    before -= offset; /* bytes in front of this piece */
    for (; buf; before += buf->length, buf = buf->next, offset = 0) {
        const char *found = buf->length > offset ? memchr(buf->bytes + offset, byte, buf->length - offset) : NULL;
        if (found)
            return (ptrdiff_t)(before + (size_t)(found - buf->bytes));
    }
    return -1;
}

bool tr_buf_equals(const tr_buf *buf, const void *bytes, size_t size)
{
    const char *at = bytes;
    if (buf->total != size)
        return false;
    for (; buf; at += buf->length, buf = buf->next)
        if (buf->length && memcmp(buf->bytes, at, buf->length) != 0)
            return false;
    return true;
}

/* ---- cutting and joining ----------------------------------------------------------------------------------------- */

static tr_buf *slice_piece(tr_buf *piece, size_t offset, size_t size)
{
    tr_buf *origin = piece->kind == TRI_BUF_SLICE ? piece->origin : piece;
    tr_buf *slice = make_node(TRI_BUF_SLICE, piece->bytes + offset, size);
    if (slice)
        slice->origin = tr_buf_ref(origin);
    return slice;
}

/* Appends a chain to one that nobody else holds and that ends with its `last`. If others hold the second one, `last` stays
 * in front of it. */
static tr_buf *append(tr_buf *first, tr_buf *second)
{
    first->last->next = second;
    if (held_by_one(second))
        first->last = second->last;
    first->total += second->total;
    return first;
}

tr_buf *tr_buf_slice(tr_buf *buf, size_t offset, size_t size)
{
    size = offset >= buf->total ? 0 : size < buf->total - offset ? size : buf->total - offset;
    if (size == buf->total)
        return tr_buf_ref(buf);
    if (size == 0)
        return slice_piece(buf, 0, 0);
    tr_buf *slice = NULL;
    for (buf = (tr_buf *)seek(buf, &offset); size; buf = buf->next, offset = 0) {
        size_t part = buf->length - offset < size ? buf->length - offset : size;
        tr_buf *piece = slice_piece(buf, offset, part);
        if (!piece) {
            tr_buf_unref(slice);
            return NULL;
        }
        slice = slice ? append(slice, piece) : piece;
        size -= part;
    }
    return slice;
}

/* The same bytes in pieces of their own; NULL when there is no memory. Consumes the reference. */
static tr_buf *own_pieces(tr_buf *chain)
{
    tr_buf *copy = NULL;
    for (tr_buf *piece = chain; piece; piece = piece->next) {
        tr_buf *slice = slice_piece(piece, 0, piece->length);
        if (!slice) {
            tr_buf_unref(copy);
            copy = NULL;
            break;
        }
        copy = copy ? append(copy, slice) : slice;
    }
    tr_buf_unref(chain);
    return copy;
}

/* Makes `last` the last of all pieces. What was appended although others hold it is theirs, too, and nothing may be linked
 * to it, unless they have let go of it by now. False, and the chain is as long as `last` says, when there is no memory. */
static bool own_tail(tr_buf *chain)
{
    for (tr_buf *tail; (tail = chain->last->next); chain->last = tail->last) {
        if (!held_by_one(tail))
            tail = own_pieces(tail);
        chain->last->next = tail;
        if (!tail)
            return false;
    }
    return true;
}

/* Whether no slice of `second` holds a piece of `first`, which it would be linked behind: then neither would ever be freed.
 * It is so if there is no slice, or if nobody but the chain holds a piece of `first`; whichever can be told sooner. */
static bool apart(const tr_buf *first, const tr_buf *second)
{
    bool held = false, slices = false;
    while ((first || held) && (second || slices)) {
        if (held && slices)
            return false;
        if (!held) {
            held = !held_by_one(first);
            first = first->next;
        }
        if (!slices) {
            slices = second->kind == TRI_BUF_SLICE;
            second = second->next;
        }
    }
    return true;
}

tr_buf *tr_buf_join(tr_buf *first, tr_buf *second)
{
    if (!first || !second)
        return first ? first : second;
    bool own = held_by_one(first);
    if ((own && !own_tail(first)) || ((!own || !apart(first, second)) && !(first = own_pieces(first)))) {
        tr_buf_unref(first);
        tr_buf_unref(second);
        return NULL;
    }
    return append(first, second);
}

tr_buf *tr_buf_flat(tr_buf *buf)
{
    void *bytes;
    if (!buf->next)
        return buf;
    tr_buf *flat = tr_buf_new(buf->total, &bytes);
    if (flat)
        tr_buf_read(buf, 0, bytes, buf->total);
    tr_buf_unref(buf);
    return flat;
}
