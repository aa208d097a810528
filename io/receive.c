#include "io/receive.h"

uint32_t tri_receive_fill(struct tri_receive *receive, bool bulky, int32_t limit, tri_piece *pieces)
{
    bool all = limit == 0 || limit >= TRI_RECEIVE_PIECES * TRI_RECEIVE_ROOM;
    uint32_t wanted = !bulky ? 1 : all ? TRI_RECEIVE_PIECES : (uint32_t)limit / TRI_RECEIVE_ROOM + 1, count = 0;
    for (; count < wanted; count++) {
        if (!receive->buffers[count])
            receive->buffers[count] = tri_buf_receive(TRI_RECEIVE_ROOM);
        if (!receive->buffers[count])
            break;
        pieces[count] = tri_piece_of(tri_buf_room(receive->buffers[count]), TRI_RECEIVE_ROOM);
    }
    return count;
}

void tri_receive_take(struct tri_receive *receive, struct tri_op *op, size_t bytes)
{
    tr_buf **buffers = receive->buffers;
    int used = 0;
    for (; bytes; used++) {
        size_t length = bytes < TRI_RECEIVE_ROOM ? bytes : TRI_RECEIVE_ROOM;
        tr_buf *buf = tri_receive_trim(buffers[used], length);
        if (buf == buffers[used])
            buffers[used] = NULL;
        bytes -= length;
        tri_op_received(op, buf);
    }
    for (int i = 0, to = 0; i < TRI_RECEIVE_PIECES && (i < used || buffers[i]); i++) { /* the first places stay filled */
        tr_buf *buf = buffers[i];
        buffers[i] = NULL;
        if (buf)
            buffers[to++] = buf;
    }
}

void tri_receive_free(struct tri_receive *receive)
{
    for (int i = 0; i < TRI_RECEIVE_PIECES; i++)
        tr_buf_unref(receive->buffers[i]);
}
