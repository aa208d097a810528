/* receive.h: buffers on the way to what is received, for backends that offer them with each call. */
#ifndef TRI_RECEIVE_H
#define TRI_RECEIVE_H

#include "io/port.h"

enum { TRI_RECEIVE_PIECES = 16 }; /* buffers offered to one call */

struct tri_receive {
    tr_buf *buffers[TRI_RECEIVE_PIECES]; /* the first so many; NULL: none */
};

/* Makes the pieces for a receive of at most `limit` bytes (0: any number): their count; 0 when there is no memory. One,
 * unless the stream is `bulky`: its last receive has filled a buffer. */
uint32_t tri_receive_fill(struct tri_receive *receive, bool bulky, int32_t limit, tri_piece *pieces);

/* `bytes` are in them: they go to the operation. */
void tri_receive_take(struct tri_receive *receive, struct tri_op *op, size_t bytes);

void tri_receive_free(struct tri_receive *receive);

#endif
