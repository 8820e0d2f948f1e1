//! A connection whose other side has to read what it is told.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Ends where an answer is not read to its end within a time. Who asks and never reads would keep its place for ever.
pub(crate) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Since something could not be written, until all of it is.
    over: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(crate) const fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, over: None }
    }

    /// What became of writing, unless the time is over.
    fn within<T>(&mut self, context: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() && self.over.is_none() {
            return written;
        }
        let patience = self.patience;
        let over = self.over.get_or_insert_with(|| Box::pin(sleep(patience)));
        match over.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(Error::from(ErrorKind::TimedOut))),
            Poll::Pending => written,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.within(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, bytes);
        this.within(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        if flushed.is_ready() {
            // All that was written before is on its way.
            this.over = None;
            return flushed;
        }
        this.within(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn who_reads_nothing_is_let_go_and_who_reads_is_not() {
        runtime().block_on(async {
            let (ours, mut theirs) = duplex(16);
            let mut ours = Patient::new(ours, Duration::from_millis(20));
            ours.write_all(&[7; 16]).await.unwrap();
            ours.flush().await.unwrap();
            // The other side has no room for more, and makes none.
            let error = ours.write_all(&[7; 16]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            // One that reads a little now and then does not get further.
            assert!(theirs.read_u8().await.is_ok());
            assert_eq!(ours.write_all(&[7; 16]).await.unwrap_err().kind(), ErrorKind::TimedOut);
            let (ours, mut theirs) = duplex(16);
            let mut ours = Patient::new(ours, Duration::from_secs(60));
            let write = async {
                for _ in 0..100 {
                    ours.write_all(&[7; 64]).await.unwrap();
                    ours.flush().await.unwrap();
                }
                drop(ours);
            };
            let mut read = Vec::new();
            let (_, taken) = tokio::join!(write, theirs.read_to_end(&mut read));
            assert_eq!(taken.unwrap(), 6_400);
        });
    }
}
