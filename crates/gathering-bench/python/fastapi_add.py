"""What people write today for one tool over HTTP: FastAPI, pydantic and uvicorn, as small as it gets."""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Arguments(BaseModel):
    x: int
    y: int


class Request(BaseModel):
    arguments: Arguments


@app.post("/tools/add/execute")
async def add(request: Request):
    return {"result": request.arguments.x + request.arguments.y}


@app.get("/health")
async def health():
    return {"status": "healthy"}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
