/*
 * <troupe/buf.h>: tr_buf, an immutable counted slice of bytes.
 *
 * Bulk travels between actors, and to and from transports, as references to a tr_buf: nothing is copied, and the last
 * holder frees it. A buffer is a chain of one or more pieces; tr_buf_join chains two buffers without copying, and
 * tr_buf_slice shares part of one.
 *
 *     tr_buf *line = tr_buf_printf("%s says %s\n", name, text);
 *     for (i = 0; i < n; i++)
 *         tr_tcp_write(self, member[i], tr_buf_ref(line));     one buffer, n references
 *     tr_buf_unref(line);
 *
 *     for (const tr_buf *p = buf; p; p = tr_buf_next(p))       reading it, piece by piece
 *         consume(tr_buf_bytes(p), tr_buf_length(p));
 *
 * Buffers that a transport delivered count against its window (see <troupe/tcp.h>) until they are freed.
 *
 * All functions may be called from any thread. Two threads that hold references of their own need no lock.
 */
#ifndef TROUPE_BUF_H
#define TROUPE_BUF_H

#include <troupe/format.h>
#include <troupe/language.h>

#include <stdbool.h>
#include <stddef.h>

TR_BEGIN_C_

typedef struct tr_buf tr_buf;

/* ---- making ------------------------------------------------------------------------------------------------------ */

/* A buffer of `size` bytes, aligned to 64, that the caller fills through *bytes before it hands the buffer on; after that
 * they are immutable. NULL when there is no memory. */
tr_buf *tr_buf_new(size_t size, void **bytes);

/* A buffer that holds a copy of these bytes; NULL when there is no memory. */
tr_buf *tr_buf_copy(const void *bytes, size_t size);

/* A buffer that holds the formatted text, without a closing zero; NULL when there is no memory. */
tr_buf *tr_buf_printf(const char *format, ...) TR_FORMAT_(1, 2);

/* A buffer around memory of the caller's, which must stay as it is until `release` is called with it and `arg`, on
 * whichever thread drops the last reference. `release` may be NULL, for static memory. When there is no memory for the
 * buffer itself, `release` is called and the answer is NULL: adopting always consumes. */
tr_buf *tr_buf_adopt(const void *bytes, size_t size, void (*release)(const void *bytes, void *arg), void *arg);

/* ---- holding ----------------------------------------------------------------------------------------------------- */

/* One more reference to the same buffer; answers buf. */
tr_buf *tr_buf_ref(tr_buf *buf);

/* Gives a reference up; the last one frees the buffer. NULL is a no-op. */
void tr_buf_unref(tr_buf *buf);

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Bytes in the buffer, which is not NULL, over all of its pieces. */
size_t tr_buf_size(const tr_buf *buf);

/* The bytes of the first piece and their number; the next piece, or NULL. A piece may be empty. */
const void *tr_buf_bytes(const tr_buf *piece);
size_t tr_buf_length(const tr_buf *piece);
const tr_buf *tr_buf_next(const tr_buf *piece);

/* Copies up to `size` bytes from `offset` on into `to`; answers how many there were. */
size_t tr_buf_read(const tr_buf *buf, size_t offset, void *to, size_t size);

/* The offset of the first `byte` at or after `offset`; -1 when there is none. */
ptrdiff_t tr_buf_find(const tr_buf *buf, size_t offset, char byte);

/* Whether the buffer holds exactly these bytes. */
bool tr_buf_equals(const tr_buf *buf, const void *bytes, size_t size);

/* ---- cutting and joining ----------------------------------------------------------------------------------------- */

/* A new reference to `size` bytes of the buffer from `offset` on (both are cut to what there is). The bytes are shared,
 * and the piece they lie in stays allocated as a whole. NULL when there is no memory. */
tr_buf *tr_buf_slice(tr_buf *buf, size_t offset, size_t size);

/* One buffer that holds the bytes of `first` and then those of `second`. Consumes both references. Either may be NULL,
 * then the answer is the other. NULL when there is no memory (both are released then). Costs the same however many pieces
 * there are; but if somebody else holds `first`, or a slice of it that is still there, each of its pieces may get a node of
 * its own, and to append slices to a long chain takes a look at each of its pieces. */
tr_buf *tr_buf_join(tr_buf *first, tr_buf *second);

/* The same bytes in one piece. Consumes the reference; copies only if there are several pieces. NULL when there is no
 * memory (buf is released then). */
tr_buf *tr_buf_flat(tr_buf *buf);

TR_END_C_

#endif
